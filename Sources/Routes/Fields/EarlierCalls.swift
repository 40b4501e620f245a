/// The ids of the tool calls that a reader of a conversation has read so far.
struct EarlierCalls {
    private var ids: Set<CallID> = []
    /// Whether several tool calls have the same id.
    private(set) var isAmbiguous = false

    mutating func insert(_ id: CallID) { if !ids.insert(id).inserted { isAmbiguous = true } }

    func contains(_ id: CallID) -> Bool { ids.contains(id) }
}
