extension ToolCall {
    /// The key that connects a tool call with its result: the tool call's id, or the tool's name if there is no id.
    package static func key(id: String?, name: String) -> [UInt8] {
        id.map { [1] + Array($0.utf8) } ?? [0] + Array(name.utf8)
    }
}

extension [ChatMessage] {
    /// Assigns the results among the messages at `positions` to the tool calls with these keys. The first result for a
    /// key belongs to the first call with it.
    ///
    /// - Returns: the position of the result of each call, nil if it has none; and the positions of results that no call
    ///   asked for.
    package func results(ofCalls keys: [[UInt8]], at positions: [Int]) -> (found: [Int?], unasked: Set<Int>) {
        var asked: [[UInt8]: ArraySlice<Int>] = [:]
        for (call, key) in keys.enumerated() { asked[key, default: []].append(call) }
        var found = [Int?](repeating: nil, count: keys.count)
        var unasked: Set<Int> = []
        for position in positions where self[position].isResult {
            let key = ToolCall.key(id: self[position].toolCallID, name: self[position].name ?? "")
            if let call = asked[key]?.popFirst() { found[call] = position } else { unasked.insert(position) }
        }
        return (found, unasked)
    }
}
