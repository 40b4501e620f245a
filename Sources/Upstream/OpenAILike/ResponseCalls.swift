import Engine
import Shared

/// The tool calls of a response from the Responses API, which are emitted one after the other.
struct ResponseCalls {
    private struct Call {
        /// The `output_index` that the vendor gave to the output item with the tool call.
        let number: Int64
        /// The id that the vendor gave to the tool call.
        let id: [UInt8]
        /// The id that is emitted, which no other tool call of the response has.
        let ownID: [UInt8]
        let name: [UInt8]
        var isReported = false
        var isClosed = false
        /// The arguments that arrived before the tool call was emitted.
        var held: [UInt8] = []
        var read = CallArguments()
        // The size and hash of the arguments that were emitted.
        var bytes = 0
        var hash = ToolCallTable.basis
    }

    private var calls: [Call] = []
    /// The index in `calls` of the first tool call that is not complete or not emitted.
    private var open = 0
    /// The size of the held arguments of all tool calls together, which has the bound of those of one.
    private var heldBytes = 0

    var isEmpty: Bool { calls.isEmpty }
    var count: Int { calls.count }

    func has(_ number: Int64) -> Bool { index(of: number) != nil }

    /// Returns the `output_index` of the tool call with this id; nil if there is none.
    /// - Parameter others: the `output_index` values of the tool calls to skip.
    func number(of id: UnsafeRawBufferPointer, except others: Set<Int64>) -> Int64? {
        id.isEmpty ? nil : calls.first { $0.id.elementsEqual(id) && !others.contains($0.number) }?.number
    }

    private func index(of number: Int64) -> Int? { calls.lastIndex { $0.number == number } }

    /// Adds a new tool call. Returns the tool call chunks that can be emitted now.
    mutating func open(
        _ number: Int64,
        id: [UInt8],
        name: UnsafeRawBufferPointer,
        ids: RandomBytes
    ) throws(UpstreamError) -> [ToolCallChunk] {
        guard !name.isEmpty, max(name.count, id.count) <= ToolCallBounds.nameBytes else {
            throw ToolCallBounds.unnamed
        }
        guard calls.count < ToolCallBounds.maxCalls else { throw ToolCallBounds.tooMany }
        let isTaken = !id.isEmpty && calls.contains { $0.id == id }
        let ownID = isTaken ? Array(ids.id("call_").utf8) : id
        calls.append(Call(number: number, id: id, ownID: ownID, name: Array(name)))
        return unsentChunks()
    }

    /// Appends arguments to a known tool call. Returns the tool call chunks that can be emitted now.
    mutating func consume(
        _ arguments: UnsafeRawBufferPointer,
        of number: Int64
    ) throws(UpstreamError) -> [ToolCallChunk] {
        guard let index = index(of: number), !calls[index].isClosed else { return [] }
        let arguments = calls[index].read.append(Array(arguments))
        guard !arguments.isEmpty else { return [] }
        guard calls[index].isReported else {
            heldBytes += arguments.count
            guard heldBytes <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
            calls[index].held += arguments
            return []
        }
        return [try chunk(arguments, of: index)]
    }

    /// Marks a tool call as complete. Returns the tool call chunks that can be emitted now.
    /// - Parameter number: the `output_index` of the tool call.
    mutating func close(_ number: Int64, _ whole: UnsafeRawBufferPointer) throws(UpstreamError) -> [ToolCallChunk] {
        guard let index = index(of: number), !calls[index].isClosed else { return [] }
        calls[index].isClosed = true
        guard let object = CallArguments.object(in: whole) else { return try close(at: index, whole) }
        var decoded = ByteBuffer()
        object.withUnsafeBytes { decoded.append($0) }
        return try close(at: index, decoded.bytes)
    }

    private mutating func close(
        at index: Int,
        _ whole: UnsafeRawBufferPointer
    ) throws(UpstreamError) -> [ToolCallChunk] {
        var pieces: [ToolCallChunk] = []
        if whole.equals("null") { return unsentChunks() }
        if !calls[index].isReported {
            if whole.count > calls[index].held.count { try hold(whole, of: index) }
        } else if let rest = rest(of: whole, at: index) {
            pieces.append(try chunk(rest, of: index))
        }
        return pieces + unsentChunks()
    }

    /// Marks all tool calls as complete. Returns the tool call chunks that can be emitted now.
    mutating func end() -> [ToolCallChunk] {
        for index in calls.indices { calls[index].isClosed = true }
        return unsentChunks()
    }

    // MARK: The order

    private mutating func unsentChunks() -> [ToolCallChunk] {
        var pieces: [ToolCallChunk] = []
        while calls.indices.contains(open) {
            if !calls[open].isReported {
                let held = calls[open].held
                pieces.append(
                    ToolCallChunk(
                        index: open,
                        isFirst: true,
                        id: calls[open].ownID,
                        name: calls[open].name,
                        arguments: held
                    )
                )
                calls[open].isReported = true
                calls[open].held = []
                heldBytes -= held.count
                record(held, of: open)
            }
            guard calls[open].isClosed else { break }
            if calls[open].bytes == 0 { pieces.append(ToolCallChunk(index: open, arguments: Array("{}".utf8))) }
            open += 1
        }
        return pieces
    }

    /// Replaces the held arguments of a tool call with the complete arguments.
    private mutating func hold(_ whole: UnsafeRawBufferPointer, of index: Int) throws(UpstreamError) {
        heldBytes += whole.count - calls[index].held.count
        guard heldBytes <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
        calls[index].held = Array(whole)
    }

    private mutating func chunk(_ arguments: [UInt8], of index: Int) throws(UpstreamError) -> ToolCallChunk {
        guard calls[index].bytes + arguments.count <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
        record(arguments, of: index)
        return ToolCallChunk(index: index, arguments: arguments)
    }

    private mutating func record(_ arguments: [UInt8], of index: Int) {
        calls[index].bytes += arguments.count
        calls[index].hash = ToolCallTable.hash(arguments, from: calls[index].hash)
    }

    /// Returns the part of the complete arguments that was not emitted yet. Returns nil if there is none, or if the
    /// complete arguments do not begin with the emitted ones.
    private func rest(of whole: UnsafeRawBufferPointer, at index: Int) -> [UInt8]? {
        let call = calls[index]
        guard whole.count > call.bytes,
            ToolCallTable.hash(whole[part: 0..<call.bytes], from: ToolCallTable.basis) == call.hash
        else { return nil }
        return Array(whole[part: call.bytes..<whole.count])
    }
}
