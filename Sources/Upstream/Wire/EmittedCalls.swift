import Engine

/// The bounds of the tool calls in one response. A response beyond them is invalid.
enum ToolCallBounds {
    static let maxCalls = 128
    /// The largest size of the arguments of one tool call, in bytes.
    static let argumentBytes = 8_388_608
    /// The largest size of an id or a name, in bytes.
    static let nameBytes = 4_096

    static var tooMany: UpstreamError { .invalidResponse("the response has too many tool calls") }
    static var tooLong: UpstreamError { .invalidResponse("the arguments of a tool call are too long") }
    static var unnamed: UpstreamError { .invalidResponse("a tool call has no valid name") }
}

/// The tool calls of a response that are emitted in the order in which they begin, by the client's names of the tools.
struct EmittedCalls {
    private let names: VendorNameMap
    private let ids: RandomBytes
    /// The largest number of tool calls that are emitted. Further tool calls of the response are dropped.
    var maxCount: Int
    /// Whether the client sent `functions` (legacy tools). Tool calls then have no ids.
    let isLegacy: Bool
    private(set) var count = 0
    private var emittedIDs: Set<[UInt8]> = []

    init(_ names: VendorNameMap, _ ids: RandomBytes, maxCount: Int, isLegacy: Bool) {
        self.names = names
        self.ids = ids
        self.maxCount = maxCount
        self.isLegacy = isLegacy
    }

    /// The index of the tool call that was emitted last.
    var lastIndex: Int { count - 1 }

    /// Returns the name of the next tool call; nil if the tool call is dropped. Throws if it is invalid.
    func nextName(
        _ name: UnsafeRawBufferPointer?,
        id: UnsafeRawBufferPointer?
    ) throws(UpstreamError) -> UnsafeRawBufferPointer? {
        guard let name, max(name.count, id?.count ?? 0) <= ToolCallBounds.nameBytes else {
            throw ToolCallBounds.unnamed
        }
        if count >= maxCount { return nil }
        guard count < ToolCallBounds.maxCalls else { throw ToolCallBounds.tooMany }
        return name
    }

    /// Emits the beginning of the next tool call. Returns its id: the vendor's, or a new one if the vendor gave no id or
    /// gave it to an earlier tool call, too.
    @discardableResult
    mutating func begin(_ name: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer?, _ emit: WireReader.Emit) -> [UInt8]
    {
        var own = isLegacy ? [] : id.map(Array.init) ?? []
        if !isLegacy, own.isEmpty || !emittedIDs.insert(own).inserted { own = Array(ids.id("call_").utf8) }
        count += 1
        let original = names.original(of: name) ?? Array(name)
        own.withUnsafeBytes { id in
            original.withUnsafeBytes { emit(0, .toolCall(index: lastIndex, id: id, name: $0)) }
        }
        return own
    }
}
