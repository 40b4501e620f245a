import Calls
import Engine
import Shared

/// The tool calls of a response of the Responses API. Its items may arrive interleaved, but calls are emitted one after
/// the other. Calls that arrive while another one is open are held back until that one is closed.
struct ResponseCalls {
    private struct Call {
        /// The vendor's number of the item.
        let number: Int64
        let id: [UInt8]
        let name: [UInt8]
        var isTold = false
        var isClosed = false
        /// The arguments that arrived before the call was emitted.
        var held: [UInt8] = []
        var read = CallArguments()
        // The size and hash of the arguments that were emitted.
        var bytes = 0
        var hash = CallTable.basis
    }

    private var calls: [Call] = []
    /// The position of the first call that is not closed, or not emitted.
    private var open = 0
    private var heldBytes = 0

    private static let mostCalls = 128
    /// The longest arguments of one call, and of all calls that are held back, in bytes.
    private static let argumentLimitBytes = 8_388_608
    private static let nameLimitBytes = 4_096

    var isEmpty: Bool { calls.isEmpty }
    var count: Int { calls.count }

    func has(_ number: Int64) -> Bool { place(of: number) != nil }

    /// Returns the number of the item with this id; nil if there is none.
    func number(of id: UnsafeRawBufferPointer) -> Int64? {
        id.isEmpty ? nil : calls.first { $0.id.elementsEqual(id) }?.number
    }

    private func place(of number: Int64) -> Int? { calls.lastIndex { $0.number == number } }

    /// Adds a new call. Returns the chunks that can be emitted now.
    mutating func open(
        _ number: Int64,
        id: [UInt8],
        name: UnsafeRawBufferPointer
    ) throws(UpstreamError) -> [CallPiece] {
        guard !name.isEmpty, max(name.count, id.count) <= Self.nameLimitBytes else {
            throw .brokenAnswer("a tool call has no valid name")
        }
        guard calls.count < Self.mostCalls else { throw .brokenAnswer("the response has too many tool calls") }
        calls.append(Call(number: number, id: id, name: Array(name)))
        return tellable()
    }

    /// Appends arguments to a known call; ignores those of other items. Returns the chunks that can be emitted now.
    mutating func take(_ arguments: UnsafeRawBufferPointer, of number: Int64) throws(UpstreamError) -> [CallPiece] {
        guard let place = place(of: number), !calls[place].isClosed else { return [] }
        let arguments = calls[place].read.take(Array(arguments))
        guard !arguments.isEmpty else { return [] }
        guard calls[place].isTold else {
            heldBytes += arguments.count
            guard heldBytes <= Self.argumentLimitBytes else { throw Self.tooLong }
            calls[place].held += arguments
            return []
        }
        return [try told(arguments, of: place)]
    }

    /// Closes a call. Returns the chunks that can be emitted now, with the arguments that have not been emitted yet.
    ///
    /// - Parameter whole: all arguments of the call.
    mutating func close(_ number: Int64, _ whole: UnsafeRawBufferPointer) throws(UpstreamError) -> [CallPiece] {
        guard let place = place(of: number), !calls[place].isClosed else { return [] }
        calls[place].isClosed = true
        var pieces: [CallPiece] = []
        if whole.equals("null") { return tellable() }
        if !calls[place].isTold {
            if whole.count > calls[place].held.count { try hold(whole, of: place) }
        } else if let rest = rest(of: whole, at: place) {
            pieces.append(try told(rest, of: place))
        }
        return pieces + tellable()
    }

    /// Closes all calls. Returns the chunks that can be emitted now.
    mutating func end() -> [CallPiece] {
        for place in calls.indices { calls[place].isClosed = true }
        return tellable()
    }

    // MARK: The order

    private mutating func tellable() -> [CallPiece] {
        var pieces: [CallPiece] = []
        while calls.indices.contains(open) {
            if !calls[open].isTold {
                let held = calls[open].held
                pieces.append(
                    CallPiece(
                        index: open,
                        isFirst: true,
                        id: calls[open].id,
                        name: calls[open].name,
                        arguments: held
                    )
                )
                calls[open].isTold = true
                calls[open].held = []
                heldBytes -= held.count
                note(held, of: open)
            }
            guard calls[open].isClosed else { break }
            if calls[open].bytes == 0 { pieces.append(CallPiece(index: open, arguments: Array("{}".utf8))) }
            open += 1
        }
        return pieces
    }

    /// Replaces the arguments of a call that are held back.
    private mutating func hold(_ whole: UnsafeRawBufferPointer, of place: Int) throws(UpstreamError) {
        heldBytes += whole.count - calls[place].held.count
        guard heldBytes <= Self.argumentLimitBytes else { throw Self.tooLong }
        calls[place].held = Array(whole)
    }

    private mutating func told(_ arguments: [UInt8], of place: Int) throws(UpstreamError) -> CallPiece {
        guard calls[place].bytes + arguments.count <= Self.argumentLimitBytes else { throw Self.tooLong }
        note(arguments, of: place)
        return CallPiece(index: place, arguments: arguments)
    }

    private mutating func note(_ arguments: [UInt8], of place: Int) {
        calls[place].bytes += arguments.count
        calls[place].hash = CallTable.hash(arguments, from: calls[place].hash)
    }

    /// Returns the arguments that have not been emitted; nil if there are none or `whole` does not begin with the
    /// emitted ones.
    private func rest(of whole: UnsafeRawBufferPointer, at place: Int) -> [UInt8]? {
        let call = calls[place]
        guard whole.count > call.bytes,
            CallTable.hash(whole[part: 0..<call.bytes], from: CallTable.basis) == call.hash
        else { return nil }
        return Array(whole[part: call.bytes..<whole.count])
    }

    private static var tooLong: UpstreamError { .brokenAnswer("the arguments of a tool call are too long") }
}
