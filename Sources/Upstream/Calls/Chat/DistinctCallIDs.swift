/// Replacements for the ids of tool calls, so that no id occurs twice in a conversation.
///
/// The first tool call with an id keeps it. A replacement depends only on what precedes the tool call, so that it stays
/// the same when the conversation continues.
package struct DistinctCallIDs {
    /// The tool calls of one id that have no result yet, by the ids that replace it.
    private struct OpenCalls {
        var turn = 0
        /// The tool calls of the latest turn that used the id.
        var latest: ArraySlice<[UInt8]> = []
        var earlier: ArraySlice<[UInt8]> = []
    }

    // The keys are bytes, because hashing a long `String` takes quadratic time.
    private var used: Set<[UInt8]> = []
    private var open: [[UInt8]: OpenCalls] = [:]
    /// The number in the last replacement for ids with this beginning.
    private var numbers: [[UInt8]: Int] = [:]
    private var turn = 0

    /// The part of an id that its replacement keeps, in bytes. OpenAI accepts 40 with the number.
    private static let stemBytes = 35

    /// Returns the id that `id` might replace; nil if it has not the form of a replacement.
    package static func replaced(by id: String) -> String? {
        guard let mark = id.utf8.lastIndex(of: UInt8(ascii: "_")), mark != id.utf8.startIndex else { return nil }
        let digits = id.utf8[id.utf8.index(after: mark)...]
        return !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) } ? String(id[..<mark]) : nil
    }

    mutating func beginTurn() { turn += 1 }

    /// Returns the id for the next tool call.
    mutating func call(_ id: String) -> String {
        let key = Array(id.utf8)
        let own = used.insert(key).inserted ? key : fresh(key)
        var calls = open.removeValue(forKey: key) ?? OpenCalls()
        if calls.turn != turn {
            calls.earlier += calls.latest
            (calls.turn, calls.latest) = (turn, [])
        }
        calls.latest.append(own)
        open[key] = calls
        return own == key ? id : String(decoding: own, as: UTF8.self)
    }

    /// Returns the id for the next result: that of the first tool call without a result, in the latest turn that has
    /// one. If no tool call waits for a result, returns the same id.
    mutating func result(_ id: String) -> String {
        let key = Array(id.utf8)
        guard let own = open[key]?.latest.popFirst() ?? open[key]?.earlier.popFirst(), own != key else { return id }
        return String(decoding: own, as: UTF8.self)
    }

    private mutating func fresh(_ id: [UInt8]) -> [UInt8] {
        let stem = id.isEmpty ? Array("call".utf8) : Array(id.prefix(Self.stemBytes))
        var own: [UInt8]
        repeat {
            let number = (numbers[stem] ?? 1) + 1
            numbers[stem] = number
            own = stem + Array("_\(number)".utf8)
        } while !used.insert(own).inserted
        return own
    }
}

extension ChatCall {
    /// Gives each tool call of the conversation an id of its own, and each result the id of its tool call.
    ///
    /// The n-th result of an id belongs to the n-th tool call with this id.
    package mutating func distinguishCalls() {
        var ids = DistinctCallIDs()
        var isAssistant = false
        for messageIndex in messages.indices where !messages[messageIndex].isInstruction {
            if messages[messageIndex].role == .assistant, !isAssistant { ids.beginTurn() }
            isAssistant = messages[messageIndex].role == .assistant
            for index in messages[messageIndex].toolCalls.indices {
                guard let id = messages[messageIndex].toolCalls[index].id else { continue }
                messages[messageIndex].toolCalls[index].id = ids.call(id)
            }
            if let id = messages[messageIndex].toolCallID { messages[messageIndex].toolCallID = ids.result(id) }
        }
        hasChangedCallIDs = true
    }
}
