/// A parser of a `multipart/form-data` body (RFC 7578). Bytes may arrive in chunks of any size. `next` returns the
/// events: parts, their data, and the end.
package struct MultipartReader: ~Copyable {
    private enum State { case preamble, header, data, epilogue }
    /// The text `--` followed by the boundary, with which each boundary line begins.
    private let mark: ByteBuffer
    /// The number of spaces at the end of the declared boundary, which may be missing in the body.
    private let spaces: Int
    private var rest = ByteBuffer()
    private var state = State.preamble
    /// Whether the next byte is at the start of a line, so that a boundary may begin there.
    private var isAtLineStart = true
    /// Whether `next` must still return `partEnd` for a boundary that was already consumed.
    private var hasPendingPartEnd = false
    private var hasEmittedEnd = false
    private var parts = 0
    private var fields = MultipartFields()
    private var headerBytes = 0
    private var ignoredBytes = 0

    package static let partLimit = 256
    /// The largest total size of the header lines of one part, in bytes.
    package static let headerLimitBytes = 8_192
    /// The largest number of ignored bytes before the first boundary, and after the last boundary.
    package static let ignoredLimitBytes = 8_192
    /// The largest number of spaces and tabs after a boundary.
    package static let paddingLimitBytes = 64

    /// Creates a parser. Throws an error with status 400 if the type is not `multipart/form-data` or has no valid
    /// boundary.
    package init(contentType: UnsafeRawBufferPointer?) throws(RequestError) {
        let boundary = try MultipartFields.boundary(contentType)
        spaces = boundary.utf8.reversed().prefix { $0 == 32 }.count
        mark = ByteBuffer("--\(Substring(boundary.utf8.dropLast(spaces)))")
    }

    /// The number of appended bytes that `next` has not returned yet.
    package var waitingBytes: Int { rest.count }

    /// Appends the bytes of `bytes` to the body, and empties `bytes`.
    package mutating func append(_ bytes: inout ByteBuffer) {
        if rest.isEmpty { swap(&rest, &bytes) } else { rest.append(bytes.bytes) }
        bytes.removeAll()
    }

    /// Returns the next event; nil if more bytes are needed. Throws if the body is invalid.
    package mutating func next() throws(RequestError) -> MultipartEvent? {
        if hasPendingPartEnd {
            hasPendingPartEnd = false
            return .partEnd
        }
        switch state {
        case .preamble: return try skipPreamble()
        case .header: return try consumeFields()
        case .data: return try consumeData()
        case .epilogue: return try skipEpilogue()
        }
    }

    /// Throws if the last boundary has not arrived. Call it when no more bytes follow.
    package func checkEnd() throws(RequestError) {
        guard state == .epilogue else { throw Self.malformed("The body ends before its last boundary.") }
    }

    // MARK: Outside of the parts

    private mutating func skipPreamble() throws(RequestError) -> MultipartEvent? {
        let bytes = rest.bytes
        let found = findBoundary(in: bytes)
        try ignore(found.start)
        guard let length = found.length else {
            isAtLineStart = isAtLineStart && found.start == 0
            rest.removeFirst(found.start)
            return nil
        }
        rest.removeFirst(found.start + length)
        state = found.isFinal ? .epilogue : .header
        return try next()
    }

    private mutating func skipEpilogue() throws(RequestError) -> MultipartEvent? {
        guard hasEmittedEnd else {
            hasEmittedEnd = true
            ignoredBytes = 0
            return .end
        }
        try ignore(rest.count)
        rest.removeAll()
        return nil
    }

    private mutating func ignore(_ count: Int) throws(RequestError) {
        ignoredBytes += count
        guard ignoredBytes <= Self.ignoredLimitBytes else {
            throw Self.malformed("The form has too much data outside of its parts.")
        }
    }

    // MARK: Parts

    private mutating func consumeFields() throws(RequestError) -> MultipartEvent? {
        while let end = rest.bytes.firstNewline() {
            let length = end + 1
            headerBytes += length
            guard headerBytes <= Self.headerLimitBytes else { throw Self.headerTooLong }
            guard end > 0, rest.bytes[end - 1] == 13 else { throw MultipartFields.malformed }
            if end == 1 {
                rest.removeFirst(length)
                return try beginPart()
            }
            try fields.consume(rest.bytes[part: 0..<(end - 1)])
            rest.removeFirst(length)
        }
        guard headerBytes + rest.count <= Self.headerLimitBytes else { throw Self.headerTooLong }
        return nil
    }

    private mutating func beginPart() throws(RequestError) -> MultipartEvent {
        parts += 1
        guard parts <= Self.partLimit else { throw Self.malformed("The form has more than \(Self.partLimit) parts.") }
        let part = try fields.part()
        fields = MultipartFields()
        headerBytes = 0
        state = .data
        isAtLineStart = true
        return .part(part)
    }

    private mutating func consumeData() throws(RequestError) -> MultipartEvent? {
        let bytes = rest.bytes
        let found = findBoundary(in: bytes)
        if let length = found.length {
            rest.removeFirst(found.start + length)
            hasPendingPartEnd = true
            state = found.isFinal ? .epilogue : .header
            if found.start == 0 { return try next() }
        } else {
            rest.removeFirst(found.start)
        }
        guard found.start > 0 else { return nil }
        isAtLineStart = false
        // The storage stays unchanged until more is appended.
        return .data(bytes[part: 0..<found.start])
    }

    // MARK: Boundaries

    private struct BoundaryMatch {
        /// The number of bytes that certainly come before the next boundary.
        var start: Int
        /// The length of the boundary line with its line ends; nil if the line is incomplete or absent.
        var length: Int?
        var isFinal = false
    }

    private func findBoundary(in bytes: UnsafeRawBufferPointer) -> BoundaryMatch {
        if isAtLineStart, let found = boundary(in: bytes, at: 0, from: 0) { return found }
        var offset = 0
        while let distance = bytes[part: offset..<bytes.count].first(13) {
            let start = offset + distance
            if start + 1 == bytes.count { return BoundaryMatch(start: start) }
            if bytes[start + 1] == 10, let found = boundary(in: bytes, at: start, from: start + 2) { return found }
            offset = start + 1
        }
        return BoundaryMatch(start: bytes.count)
    }

    /// Returns the boundary line that begins at the offset `from`; nil if there is none. The `length` of an incomplete
    /// line is nil.
    /// - Parameter start: the offset of the line end before the boundary line; `from` if there is no line end.
    private func boundary(in bytes: UnsafeRawBufferPointer, at start: Int, from: Int) -> BoundaryMatch? {
        let rest = bytes[part: from..<bytes.count]
        let common = min(rest.count, mark.count)
        guard rest[part: 0..<common].elementsEqual(mark.bytes[part: 0..<common]) else { return nil }
        var tail = rest[part: common..<rest.count]
        var length = from - start + common
        if spaces > 0, tail.count > spaces, tail[spaces] == UInt8(ascii: "-"),
            tail.prefix(spaces).allSatisfy({ $0 == 32 })
        {
            tail = tail[part: spaces..<tail.count]
            length += spaces
        }
        if tail.isEmpty { return BoundaryMatch(start: start) }
        if tail[0] == UInt8(ascii: "-") {
            if tail.count == 1 { return BoundaryMatch(start: start) }
            return tail[1] == UInt8(ascii: "-") ? BoundaryMatch(start: start, length: length + 2, isFinal: true) : nil
        }
        var padding = 0
        while padding < tail.count, tail[padding] == 32 || tail[padding] == 9 { padding += 1 }
        guard padding <= Self.paddingLimitBytes else { return nil }
        guard padding < tail.count else { return BoundaryMatch(start: start) }
        guard tail[padding] == 13 else { return nil }
        if padding + 1 == tail.count { return BoundaryMatch(start: start) }
        return tail[padding + 1] == 10 ? BoundaryMatch(start: start, length: length + padding + 2) : nil
    }

    static func malformed(_ reason: String) -> RequestError { RequestError(400, reason) }

    private static var headerTooLong: RequestError { malformed("The header lines of a part are too long.") }
}

/// An event that the parser of a `multipart/form-data` body returns.
package enum MultipartEvent {
    case part(MultipartPart)
    /// Some bytes of the current part, at least one. Valid until more bytes are appended to the parser.
    case data(UnsafeRawBufferPointer)
    case partEnd
    /// The last boundary has arrived. Bytes after it are ignored.
    case end
}

package struct MultipartPart: Equatable, Sendable {
    /// The name of the form field.
    package let name: String
    /// The file name without path and control characters; nil for a text field, empty if the name cannot be used.
    package let filename: String?
    /// The value of the part's `Content-Type` field; nil if the field is absent.
    package let contentType: String?
}
