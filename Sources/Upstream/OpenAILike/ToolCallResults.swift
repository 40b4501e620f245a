import Engine

extension [ChatMessage] {
    /// The messages with each tool call's result directly after the message with the tool call.
    ///
    /// A missing result becomes the text "No result.". A result without a tool call loses its call id.
    var withResultForEachCall: [ChatMessage] { withResultForEachCall(movesResults: true) }

    /// The messages with a result for each tool call. Existing results stay where they are.
    ///
    /// A missing result becomes the text "No result." after the message with the tool call. A result without a tool
    /// call loses its call id.
    var withResultInPlaceForEachCall: [ChatMessage] { withResultForEachCall(movesResults: false) }

    private func withResultForEachCall(movesResults: Bool) -> [ChatMessage] {
        guard contains(where: { !$0.toolCalls.isEmpty || $0.toolCallID != nil }) else { return self }
        let results = resultIndices
        let asked = Set(results.values)
        var answered: [ChatMessage] = []
        answered.reserveCapacity(count + 4)
        var calls = 0
        for index in indices where !movesResults || !asked.contains(index) {
            answered.append(self[index])
            if !asked.contains(index) { answered[answered.count - 1].toolCallID = nil }
            for id in self[index].toolCalls.lazy.compactMap(\.id) {
                if movesResults || results[calls] == nil {
                    answered.append(results[calls].map { self[$0] } ?? ChatMessage(missingResultOf: id))
                }
                calls += 1
            }
        }
        return answered
    }

    /// The messages with an id for each function call in OpenAI's legacy form, and for its result.
    var withIDsOfFunctions: [ChatMessage] {
        guard contains(where: { $0.toolCalls.contains { $0.id == nil } }) else { return self }
        var messages = self
        // Bytes, because comparing and hashing a long `String` can take quadratic time.
        let used = Set(flatMap { $0.toolCalls.compactMap { $0.id.map { [UInt8]($0.utf8) } } })
        var number = 0
        var open: [(name: String, id: String)] = []
        for messageIndex in messages.indices {
            if messageIndex > 0, messages[messageIndex - 1].role != .assistant,
                messages[messageIndex].role == .assistant
            {
                open = []
            }
            for index in messages[messageIndex].toolCalls.indices
            where messages[messageIndex].toolCalls[index].id == nil {
                repeat { number += 1 } while used.contains([UInt8]("call_\(number)".utf8))
                messages[messageIndex].toolCalls[index].id = "call_\(number)"
                open.append((messages[messageIndex].toolCalls[index].name, "call_\(number)"))
            }
            guard messages[messageIndex].role == .function, let name = messages[messageIndex].name, !open.isEmpty else {
                continue
            }
            let index = open.firstIndex { $0.name.hasSameBytes(as: name) } ?? 0
            messages[messageIndex].toolCallID = open.remove(at: index).id
        }
        return messages
    }

    /// The index of the message with each tool call's result. The keys number the tool calls that have an id, from 0.
    private var resultIndices: [Int: Int] {
        var results: [Int: Int] = [:]
        // The keys are bytes, because hashing a long `String` takes quadratic time.
        var newest: [[UInt8]: Int] = [:]
        var calls = 0
        for index in indices {
            if let id = self[index].toolCallID, let call = newest[[UInt8](id.utf8)], results[call] == nil {
                results[call] = index
            }
            for id in self[index].toolCalls.lazy.compactMap(\.id) {
                newest[[UInt8](id.utf8)] = calls
                calls += 1
            }
        }
        return results
    }
}

extension ChatMessage {
    fileprivate init(missingResultOf id: String) {
        self.init(role: .tool, text: "No result.")
        toolCallID = id
    }
}
