import Engine
import Shared

struct ToolCallChunk {
    /// The index of the tool call in the choice, counted from 0 in the order of appearance.
    let index: Int
    /// Whether this is the first chunk of its tool call.
    var isFirst = false
    var id: [UInt8] = []
    var name: [UInt8] = []
    var arguments: [UInt8] = []
    /// The signature of the reasoning that led to the tool call; nil if the element has none.
    var signature: UnsafeRawBufferPointer?
    /// The index of the chunk's element in `tool_calls`; nil if the relay made the chunk.
    var elementIndex: Int?
    /// Whether the tool call has a type that the relay does not know. The chunk then has nothing but its element.
    var isOfOtherType = false
}

/// The tool calls of one choice, as far as the vendor has sent them.
struct ToolCallTable {
    private struct Call {
        /// The index that the vendor gave the tool call; nil if the vendor gave it no index.
        let number: Int64?
        var id: [UInt8]
        var name: [UInt8] = []
        /// The arguments that arrived before the tool's name.
        var held: [UInt8] = []
        var read = CallArguments()
        var isFirstOut = false
        /// The number of the latest `tool_calls` list that contains a chunk of this tool call. The first list of the
        /// choice has the number 1.
        var list = 0
        /// Whether the vendor has marked the tool call as complete.
        var isEnded = false
        var isOfOtherType = false
        // The size, hash and last byte of all arguments so far.
        var bytes = 0
        var hash: UInt64 = ToolCallTable.basis
        var last: UInt8 = 0

        /// Whether all arguments seem to have arrived: they end an object.
        var isComplete: Bool { bytes > 0 ? last == UInt8(ascii: "}") : read.holdsObject }

        /// Returns whether another piece of the name can follow an element without arguments.
        func isNameOpen(_ function: JSONValue?) -> Bool {
            let hasArguments = function?["arguments"] != nil || function?["input"] != nil
            return !hasArguments || !(name.last?.isLetterOrDigit ?? true)
        }
    }

    private let ids: RandomBytes
    /// Whether chunks of tool calls of unknown types are returned. If not, such calls have no name.
    private let keepsOtherTypes: Bool
    private var calls: [Call] = []
    private var open = 0
    /// The number of `tool_calls` lists that were read so far.
    private var lists = 0
    /// Whether nothing follows the list of tool calls that is being read.
    var isLastList = false

    static let basis: UInt64 = 0xcbf2_9ce4_8422_2325

    init(keepsOtherTypes: Bool, ids: RandomBytes) {
        self.keepsOtherTypes = keepsOtherTypes
        self.ids = ids
    }

    /// Whether no tool call with a name has arrived yet.
    var isEmpty: Bool { !calls.contains { $0.isFirstOut || !$0.name.isEmpty } }

    /// Reads an element of `tool_calls`. Returns the chunk to emit; nil if nothing can be emitted yet.
    /// - Parameter isOdd: is set to true if the element is not in the form that OpenAI's clients expect.
    mutating func consume(
        _ delta: JSONValue,
        at elementIndex: Int,
        isWhole: Bool,
        _ isOdd: inout Bool
    ) throws(UpstreamError) -> ToolCallChunk? {
        if elementIndex == 0 { lists += 1 }
        let function = delta["function"] ?? delta["custom"]
        if function == nil, let other = try other(delta, at: elementIndex, isWhole: isWhole, &isOdd) { return other }
        let (reportedID, reportedName) = (delta["id"], function?["name"])
        let id = reportedID?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        let name = reportedName?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)
        guard max(id.count, name.count) <= ToolCallBounds.nameBytes else {
            throw .invalidResponse("the name of a tool call is too long")
        }
        let number = delta["index"]?.integer
        if id.isEmpty, name.isEmpty, !isWhole, function?.isEndOfCall ?? false {
            isOdd = true
            if let knownIndex = known(number, id, name: name) { calls[knownIndex].isEnded = true }
            return nil
        }
        var arguments = try arguments(of: function, &isOdd)
        let index = try find(number, id, name: name, arguments, isWhole: isWhole)
        if calls[index].id.isEmpty, !calls[index].isFirstOut { calls[index].id = Array(id) }
        if calls[index].name.isEmpty {
            calls[index].name = Array(name)
        } else if !calls[index].isFirstOut, !calls[index].name.elementsEqual(name) {
            calls[index].name += name
        }
        if function == nil || delta["function"] == nil { calls[index].read.isAnyText = true }
        var piece = ToolCallChunk(index: index, elementIndex: elementIndex)
        piece.signature = delta["extra_content"]?["google"]?["thought_signature"]?.text
        let hasArguments = !arguments.isEmpty
        if isRepeat(arguments, of: index) {
            isOdd = true
            arguments = []
        }
        var reported = calls[index].read.append(arguments)
        if isLastList { reported = calls[index].read.removeObject() ?? reported }
        if reported.count != arguments.count { isOdd = true }
        arguments = reported
        try record(arguments, of: index)
        if number != Int64(index), !isWhole { isOdd = true }
        if calls[index].isFirstOut {
            if reportedID != nil || reportedName != nil { isOdd = true }
            piece.arguments = arguments
            return piece
        }
        let mayNameGoOn = !hasArguments && !isWhole && !isLastList && calls[index].isNameOpen(function)
        guard !calls[index].name.isEmpty, !mayNameGoOn else {
            isOdd = true
            calls[index].held += arguments
            return nil
        }
        let isPlain = delta["type"]?.text != nil && !id.isEmpty && !name.isEmpty
        if !isPlain || function?["arguments"] == nil && function?["input"] == nil { isOdd = true }
        piece.arguments = arguments
        return first(piece, &isOdd)
    }

    /// Returns the chunk of a tool call of an unknown type; nil if the element is of another call.
    @inline(never)  // Rarely called.
    private mutating func other(
        _ delta: JSONValue,
        at elementIndex: Int,
        isWhole: Bool,
        _ isOdd: inout Bool
    ) throws(UpstreamError) -> ToolCallChunk? {
        guard keepsOtherTypes else { return nil }
        let number = delta["index"]?.integer
        var index = isWhole ? nil : calls.lastIndex { $0.isOfOtherType && $0.number == number }
        if index == nil {
            // A call without an id is one that the server has made itself.
            guard let type = delta["type"]?.text, !type.isEmpty, type != "function", type != "custom",
                delta["id"]?.text?.isEmpty == false
            else { return nil }
            guard calls.count < ToolCallBounds.maxCalls else { throw ToolCallBounds.tooMany }
            var call = Call(number: number, id: [])
            (call.isOfOtherType, call.isFirstOut) = (true, true)
            calls.append(call)
            index = calls.count - 1
        }
        guard let index else { return nil }
        if number != Int64(index), !isWhole { isOdd = true }
        return ToolCallChunk(index: index, elementIndex: elementIndex, isOfOtherType: true)
    }

    /// Returns the first chunk of a tool call.
    /// - Parameter piece: the chunk with the arguments that follow those held back.
    private mutating func first(_ piece: ToolCallChunk, _ isOdd: inout Bool) -> ToolCallChunk {
        let index = piece.index
        var piece = piece
        calls[index].isFirstOut = true
        piece.isFirst = true
        piece.id = ownID(of: index, &isOdd)
        piece.name = calls[index].name
        piece.arguments = calls[index].held + piece.arguments
        calls[index].held = []
        return piece
    }

    /// Returns the id with which a tool call is emitted. Makes one if the vendor gave no id, or gave it to another tool
    /// call, too.
    private mutating func ownID(of index: Int, _ isOdd: inout Bool) -> [UInt8] {
        let id = calls[index].id
        let isTaken = calls.indices.contains { $0 != index && calls[$0].isFirstOut && calls[$0].id == id }
        guard id.isEmpty || isTaken else { return id }
        let made = Array(ids.id("call_").utf8)
        if id.isEmpty { calls[index].id = made }
        isOdd = true
        return made
    }

    /// Returns chunks with the names and arguments that tool calls before the last one hold back.
    mutating func unsentObjects() throws(UpstreamError) -> [ToolCallChunk] {
        var chunks: [ToolCallChunk] = []
        for index in calls.indices.dropLast() {
            if let begun = unsentName(of: index) { chunks.append(begun) }
            guard let object = calls[index].read.removeObject() else { continue }
            try record(object, of: index)
            chunks.append(ToolCallChunk(index: index, arguments: object))
        }
        return chunks
    }

    /// Returns the first chunk of a tool call whose name was held back; nil if the call was emitted or has no name.
    private mutating func unsentName(of index: Int) -> ToolCallChunk? {
        guard !calls[index].isFirstOut, !calls[index].name.isEmpty else { return nil }
        var isOdd = true
        return first(ToolCallChunk(index: index), &isOdd)
    }

    /// Ends all tool calls. Returns chunks with the arguments that were not emitted yet.
    /// - Parameter isCut: whether the output was truncated, so that a name can be missing.
    mutating func end(isCut: Bool) throws(UpstreamError) -> [ToolCallChunk] {
        var pieces = calls.indices.compactMap { unsentName(of: $0) }
        // An element without a name, an id and arguments is ignored.
        guard isCut || !calls.contains(where: { !$0.isFirstOut && (!$0.id.isEmpty || $0.bytes > 0) }) else {
            throw .invalidResponse("a tool call has no name")
        }
        for (index, call) in calls.enumerated() where call.isFirstOut && call.bytes == 0 && !call.isOfOtherType {
            let rest = call.read.rest
            pieces.append(ToolCallChunk(index: index, arguments: rest.isEmpty ? Array("{}".utf8) : rest))
        }
        return pieces
    }

    /// Returns the index of the tool call to which an element of the vendor's list belongs. Adds the tool call if it is
    /// new.
    /// - Parameters:
    ///   - number: the element's index; nil if the element has none.
    ///   - id: the element's id; empty if the element has none.
    private mutating func find(
        _ number: Int64?,
        _ id: UnsafeRawBufferPointer,
        name: UnsafeRawBufferPointer,
        _ arguments: [UInt8],
        isWhole: Bool
    ) throws(UpstreamError) -> Int {
        if !isWhole, let known = known(number, id, name: name), !calls[known].isEnded || name.isEmpty,
            !id.isEmpty || name.isEmpty || !isOfOther(name, arguments, than: known),
            // A list contains each call only once.
            calls[known].list < lists || name.isEmpty
                || !id.isEmpty && calls[known].bytes == 0 && !calls[known].read.holdsObject
        {
            open = known
        } else {
            guard calls.count < ToolCallBounds.maxCalls else { throw ToolCallBounds.tooMany }
            calls.append(Call(number: number, id: Array(id)))
            open = calls.count - 1
        }
        calls[open].list = lists
        return open
    }

    /// Returns the index in `calls` of the tool call with this index or id; nil if there is none. Without an index
    /// and an id, this is the tool call that was used last. Without a name, a new id is that of a known index: some
    /// servers make an id for each chunk.
    private func known(
        _ number: Int64?,
        _ id: UnsafeRawBufferPointer,
        name: UnsafeRawBufferPointer
    ) -> Int? {
        if let number {
            let same = calls.lastIndex { $0.number == number }
            guard let same, !id.isEmpty, !name.isEmpty, !calls[same].id.isEmpty, !calls[same].id.elementsEqual(id)
            else {
                return same
            }
            return calls.firstIndex { $0.number == number && $0.id.elementsEqual(id) }
        }
        if id.isEmpty { return calls.indices.contains(open) ? open : nil }
        return calls.firstIndex { $0.id.elementsEqual(id) }
    }

    /// Returns whether an element without an id begins another tool call than the one with this index: that one is
    /// complete, and the element has another name, or a whole object that is no repeat.
    private func isOfOther(_ name: UnsafeRawBufferPointer, _ arguments: [UInt8], than index: Int) -> Bool {
        guard calls[index].isComplete else { return false }
        if !calls[index].name.elementsEqual(name) { return true }
        return calls[index].bytes > 0 && arguments.first == UInt8(ascii: "{") && !isRepeat(arguments, of: index)
    }

    private func arguments(of function: JSONValue?, _ isOdd: inout Bool) throws(UpstreamError) -> [UInt8] {
        guard let value = function?["arguments"] ?? function?["input"] else { return [] }
        if let text = value.text { return Array(text) }
        isOdd = true
        let body = value.body
        return withExtendedLifetime(body) { Array(body.bytes) }
    }

    private func isRepeat(_ arguments: [UInt8], of index: Int) -> Bool {
        // Some servers send all arguments again at the end.
        let call = calls[index]
        return call.bytes > 1 && call.bytes == arguments.count && call.last == UInt8(ascii: "}")
            && arguments.first == UInt8(ascii: "{") && Self.hash(arguments, from: Self.basis) == call.hash
    }

    private mutating func record(_ arguments: [UInt8], of index: Int) throws(UpstreamError) {
        guard let last = arguments.last else { return }
        calls[index].bytes += arguments.count
        calls[index].last = last
        calls[index].hash = Self.hash(arguments, from: calls[index].hash)
        guard calls[index].bytes <= ToolCallBounds.argumentBytes else { throw ToolCallBounds.tooLong }
    }

    /// Returns the FNV-1a hash of the bytes.
    /// - Parameter start: `basis`, or the hash of the bytes before.
    static func hash(_ bytes: some Sequence<UInt8>, from start: UInt64) -> UInt64 {
        var hash = start
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}

extension JSONValue {
    /// Whether the element ends a tool call: its name and arguments are both null.
    fileprivate var isEndOfCall: Bool {
        has("name") && has("arguments") && self["name"] == nil && self["arguments"] == nil
    }
}
