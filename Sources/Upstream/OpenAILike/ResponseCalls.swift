import Calls
import Engine
import Shared

/// The calls of a response. Its items may come side by side, but a caller gets one call after the other: those that come
/// while another is open are held back until it is closed.
struct ResponseCalls {
    private struct Call {
        /// The vendor's number of the item.
        let number: Int64
        let id: [UInt8]
        let name: [UInt8]
        var isTold = false
        var isClosed = false
        /// Arguments that came before the call was told.
        var held: [UInt8] = []
        var read = CallArguments()
        // Of the arguments that were told:
        var bytes = 0
        var hash = CallTable.basis
    }

    private var calls: [Call] = []
    /// Those before it are closed and told.
    private var open = 0
    private var heldBytes = 0

    private static let mostCalls = 128
    /// Of the arguments of one call, and of all that are held back.
    private static let argumentLimitBytes = 8_388_608
    private static let nameLimitBytes = 4_096

    var isEmpty: Bool { calls.isEmpty }
    var count: Int { calls.count }

    func has(_ number: Int64) -> Bool { place(of: number) != nil }

    /// The number of the item with this id.
    func number(of id: UnsafeRawBufferPointer) -> Int64? {
        id.isEmpty ? nil : calls.first { $0.id.elementsEqual(id) }?.number
    }

    private func place(of number: Int64) -> Int? { calls.lastIndex { $0.number == number } }

    /// Takes a call that is new. Each of these functions returns what can be told now.
    mutating func open(
        _ number: Int64,
        id: [UInt8],
        name: UnsafeRawBufferPointer
    ) throws(UpstreamError) -> [CallPiece] {
        guard !name.isEmpty, max(name.count, id.count) <= Self.nameLimitBytes else {
            throw .brokenAnswer("a call has no proper name")
        }
        guard calls.count < Self.mostCalls else { throw .brokenAnswer("the answer has too many calls") }
        calls.append(Call(number: number, id: id, name: Array(name)))
        return tellable()
    }

    /// A piece of the arguments of a call that is known; others are left out.
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

    /// The end of a call, with its arguments as a whole: the part that has not been told is told now.
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

    /// The end of all.
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

    /// In place of what was held.
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

    /// Nil: nothing is left of it, or it does not begin with what was told.
    private func rest(of whole: UnsafeRawBufferPointer, at place: Int) -> [UInt8]? {
        let call = calls[place]
        guard whole.count > call.bytes,
            CallTable.hash(whole[part: 0..<call.bytes], from: CallTable.basis) == call.hash
        else { return nil }
        return Array(whole[part: call.bytes..<whole.count])
    }

    private static var tooLong: UpstreamError { .brokenAnswer("the arguments of a call are too long") }
}
