package import Engine

/// The ids of the tool calls of one response that were emitted so far.
package struct EmittedCallIDs {
    private var emitted: Set<[UInt8]> = []

    package init() {}

    /// Returns the id with which to emit the next tool call: the vendor's, or a new one if the vendor gave no id or
    /// gave it to an earlier tool call, too.
    package mutating func next(_ id: UnsafeRawBufferPointer?, _ ids: RandomBytes) -> [UInt8] {
        let own = id.map(Array.init) ?? []
        if !own.isEmpty, emitted.insert(own).inserted { return own }
        return Array(ids.id("call_").utf8)
    }
}
