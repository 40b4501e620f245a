import Upstream

/// The ids of the tool calls that a reader of a conversation has read so far.
struct EarlierCalls {
    private var ids: Set<CallID> = []
    /// Whether several tool calls have the same id, or a result has no tool call.
    private(set) var isAmbiguous = false

    mutating func insert(_ id: CallID) { if !ids.insert(id).inserted { isAmbiguous = true } }

    /// Turns a result without an earlier tool call into a message of the user. The request must then be written anew.
    mutating func settle(_ result: inout ChatMessage) {
        guard let id = result.toolCallID, !contains(CallID(id.utf8)) else { return }
        isAmbiguous = true
        (result.role, result.toolCallID, result.name) = (.user, nil, nil)
    }

    func contains(_ id: CallID) -> Bool { ids.contains(id) }
}
