import Calls

extension [ChatMessage] {
    /// The messages with each tool call's result directly after the message with the tool call.
    ///
    /// A missing result becomes the text "No result.". A result without a tool call loses its call id.
    var withResultForEachCall: [ChatMessage] {
        guard contains(where: { !$0.toolCalls.isEmpty || $0.toolCallID != nil }) else { return self }
        let results = positionsOfResults
        let asked = Set(results.values)
        var answered: [ChatMessage] = []
        answered.reserveCapacity(count + 4)
        var calls = 0
        for index in indices where !asked.contains(index) {
            answered.append(self[index])
            answered[answered.count - 1].toolCallID = nil
            for id in self[index].toolCalls.lazy.compactMap(\.id) {
                answered.append(results[calls].map { self[$0] } ?? ChatMessage(missingResultOf: id))
                calls += 1
            }
        }
        return answered
    }

    /// The messages with a result for each tool call. Existing results keep their positions.
    ///
    /// A missing result becomes the text "No result." after the message with the tool call. A result without a tool
    /// call loses its call id.
    var withResultInPlaceForEachCall: [ChatMessage] {
        guard contains(where: { !$0.toolCalls.isEmpty || $0.toolCallID != nil }) else { return self }
        let results = positionsOfResults
        let asked = Set(results.values)
        var answered: [ChatMessage] = []
        answered.reserveCapacity(count + 4)
        var calls = 0
        for index in indices {
            answered.append(self[index])
            if !asked.contains(index) { answered[answered.count - 1].toolCallID = nil }
            for id in self[index].toolCalls.lazy.compactMap(\.id) {
                if results[calls] == nil { answered.append(ChatMessage(missingResultOf: id)) }
                calls += 1
            }
        }
        return answered
    }

    /// The index of the message with each tool call's result. The keys number the tool calls that have an id, from 0.
    private var positionsOfResults: [Int: Int] {
        var positions: [Int: Int] = [:]
        // The keys are bytes, because hashing a long `String` takes quadratic time.
        var newest: [[UInt8]: Int] = [:]
        var calls = 0
        for index in indices {
            if let id = self[index].toolCallID, let call = newest[[UInt8](id.utf8)], positions[call] == nil {
                positions[call] = index
            }
            for id in self[index].toolCalls.lazy.compactMap(\.id) {
                newest[[UInt8](id.utf8)] = calls
                calls += 1
            }
        }
        return positions
    }
}

extension ChatMessage {
    fileprivate init(missingResultOf id: String) {
        self.init(role: .tool, text: "No result.")
        toolCallID = id
    }
}
