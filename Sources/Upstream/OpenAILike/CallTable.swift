import Calls
import Engine
import Shared

/// A part of a tool's call, as it is passed on.
struct CallPiece {
    /// 0, 1, 2 in order of appearance.
    let index: Int
    /// It is the first of its call.
    var isFirst = false
    var id: [UInt8] = []
    var name: [UInt8] = []
    var arguments: [UInt8] = []
    /// Its place among the elements that it was read from; nil: it was made here.
    var place: Int?
}

/// The calls of one choice so far. Servers number them in many ways: by index, by id, or by order alone.
struct CallTable {
    private struct Call {
        /// The server's number.
        let number: Int64?
        var id: [UInt8]
        var name: [UInt8] = []
        /// Arguments that came before the name.
        var held: [UInt8] = []
        var read = CallArguments()
        var isFirstOut = false
        /// Of the list in which its last part stood.
        var list = 0
        /// The server has said that nothing more of it comes.
        var isEnded = false
        // Of all arguments so far:
        var bytes = 0
        var hash: UInt64 = CallTable.basis
        var last: UInt8 = 0
    }

    private var calls: [Call] = []
    private var open = 0
    /// Lists of calls so far.
    private var lists = 0

    static let basis: UInt64 = 0xcbf2_9ce4_8422_2325
    private static let mostCalls = 128
    /// Of the arguments of one call.
    private static let argumentLimitBytes = 8_388_608
    private static let nameLimitBytes = 4_096

    /// Nothing of any call was passed on.
    var isEmpty: Bool { !calls.contains(where: \.isFirstOut) }

    /// Takes an element of `tool_calls`. Nil: nothing of it is to be passed on yet.
    ///
    /// - Parameter isOdd: set if it is not as OpenAI's clients expect it.
    mutating func take(
        _ delta: JSONValue,
        at place: Int,
        isWhole: Bool,
        _ isOdd: inout Bool,
        _ ids: RandomBytes
    ) throws(UpstreamError) -> CallPiece? {
        if place == 0 { lists += 1 }
        let function = delta["function"] ?? delta["custom"]
        let (toldID, toldName) = (delta["id"], function?["name"])
        let id = toldID?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        let name = toldName?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        guard max(id.count, name.count) <= Self.nameLimitBytes else {
            throw .brokenAnswer("the name of a call is too long")
        }
        let number = delta["index"]?.integer
        if id.isEmpty, name.isEmpty, !isWhole, function?.isEndOfCall ?? false {
            isOdd = true
            if let place = known(number, id) { calls[place].isEnded = true }
            return nil
        }
        let index = try find(number, id, name, isWhole)
        if calls[index].id.isEmpty, !calls[index].isFirstOut { calls[index].id = Array(id) }
        if calls[index].name.isEmpty { calls[index].name = Array(name) }
        var piece = CallPiece(index: index, place: place)
        var arguments = try arguments(of: function, &isOdd)
        if isRepeat(arguments, of: index) {
            isOdd = true
            arguments = []
        }
        let told = calls[index].read.take(arguments)
        if told.count != arguments.count { isOdd = true }
        arguments = told
        try note(arguments, of: index)
        if number != Int64(index), !isWhole { isOdd = true }
        if calls[index].isFirstOut {
            if toldID != nil || toldName != nil { isOdd = true }
            piece.arguments = arguments
            return piece
        }
        guard !calls[index].name.isEmpty else {
            isOdd = true
            calls[index].held += arguments
            return nil
        }
        if calls[index].id.isEmpty {
            calls[index].id = Array(ids.id("call_").utf8)
            isOdd = true
        }
        let isPlain = delta["type"]?.text != nil && !id.isEmpty && !name.isEmpty
        if !isPlain || function?["arguments"] == nil && function?["input"] == nil { isOdd = true }
        calls[index].isFirstOut = true
        piece.isFirst = true
        piece.id = calls[index].id
        piece.name = calls[index].name
        piece.arguments = calls[index].held + arguments
        calls[index].held = []
        return piece
    }

    /// The end of all: the calls that came without arguments, which have to be an object.
    ///
    /// - Parameter isCut: more might have come.
    func end(isCut: Bool) throws(UpstreamError) -> [CallPiece] {
        // A piece that says nothing is no call.
        guard isCut || !calls.contains(where: { !$0.isFirstOut && (!$0.id.isEmpty || $0.bytes > 0) }) else {
            throw .brokenAnswer("a call has no name")
        }
        var pieces: [CallPiece] = []
        for (index, call) in calls.enumerated() where call.isFirstOut && call.bytes == 0 {
            let rest = call.read.rest
            pieces.append(CallPiece(index: index, arguments: rest.isEmpty ? Array("{}".utf8) : rest))
        }
        return pieces
    }

    /// The place of the call that a piece belongs to, which may be a new one.
    private mutating func find(
        _ number: Int64?,
        _ id: UnsafeRawBufferPointer,
        _ name: UnsafeRawBufferPointer,
        _ isWhole: Bool
    ) throws(UpstreamError) -> Int {
        if !isWhole, let known = known(number, id), !calls[known].isEnded || name.isEmpty,
            // A list has each call once.
            calls[known].list < lists || !id.isEmpty || name.isEmpty
        {
            open = known
        } else {
            guard calls.count < Self.mostCalls else { throw .brokenAnswer("the answer has too many calls") }
            calls.append(Call(number: number, id: Array(id)))
            open = calls.count - 1
        }
        calls[open].list = lists
        return open
    }

    /// The place of the call of a part of it; nil: there is none.
    private func known(_ number: Int64?, _ id: UnsafeRawBufferPointer) -> Int? {
        if let number {
            let same = calls.lastIndex { $0.number == number }
            guard let same, !id.isEmpty, !calls[same].id.isEmpty, !calls[same].id.elementsEqual(id) else { return same }
            return calls.firstIndex { $0.number == number && $0.id.elementsEqual(id) }
        }
        if id.isEmpty { return calls.indices.contains(open) ? open : nil }
        return calls.firstIndex { $0.id.elementsEqual(id) }
    }

    private func arguments(of function: JSONValue?, _ isOdd: inout Bool) throws(UpstreamError) -> [UInt8] {
        guard let value = function?["arguments"] ?? function?["input"] else { return [] }
        if let text = value.text { return Array(text) }
        isOdd = true
        let body = value.body
        return withExtendedLifetime(body) { Array(body.bytes) }
    }

    /// Some servers send all arguments once more at the end.
    private func isRepeat(_ arguments: [UInt8], of index: Int) -> Bool {
        let call = calls[index]
        return call.bytes > 1 && call.bytes == arguments.count && call.last == UInt8(ascii: "}")
            && arguments.first == UInt8(ascii: "{") && Self.hash(arguments, from: Self.basis) == call.hash
    }

    private mutating func note(_ arguments: [UInt8], of index: Int) throws(UpstreamError) {
        guard let last = arguments.last else { return }
        calls[index].bytes += arguments.count
        calls[index].last = last
        calls[index].hash = Self.hash(arguments, from: calls[index].hash)
        guard calls[index].bytes <= Self.argumentLimitBytes else {
            throw .brokenAnswer("the arguments of a call are too long")
        }
    }

    /// FNV-1a.
    static func hash(_ bytes: some Sequence<UInt8>, from start: UInt64) -> UInt64 {
        var hash = start
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}

extension JSONValue {
    /// As Cloudflare ends a call: its name and its arguments are null.
    fileprivate var isEndOfCall: Bool {
        has("name") && has("arguments") && self["name"] == nil && self["arguments"] == nil
    }
}
