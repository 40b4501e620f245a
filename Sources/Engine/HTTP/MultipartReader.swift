/// A parser of a `multipart/form-data` body (RFC 7578, RFC 2046) from bytes that arrive in chunks of any size. It holds
/// the bytes appended last and the beginning of a boundary or of a part's header lines. Pure: bytes go in, events come
/// out. A truncated body never has an `.end`.
package struct MultipartReader: ~Copyable {
    private enum State { case preamble, header, data, epilogue }
    /// The text "--" and the boundary.
    private let mark: ByteBuffer
    private var rest = ByteBuffer()
    private var state = State.preamble
    /// Whether a boundary needs no line end before it: at the body's beginning, and after header lines.
    private var isAtLineStart = true
    /// Whether the delimiter of a part was consumed but its end was not emitted yet.
    private var hasPendingPartEnd = false
    private var hasEmittedEnd = false
    private var parts = 0
    private var fields = MultipartFields()
    private var headerBytes = 0
    private var ignoredBytes = 0

    package static let partLimit = 256
    /// The largest size of one part's header lines.
    package static let headerLimitBytes = 8_192
    /// The most bytes before the first boundary, and the most after the last one.
    package static let ignoredLimitBytes = 8_192
    /// The most spaces and tabs after a boundary.
    package static let paddingLimitBytes = 64

    /// Creates a reader. Throws status 400 if the body is not a form, or has no valid boundary.
    ///
    /// - Parameter contentType: the value of the request's Content-Type; nil if absent.
    package init(contentType: UnsafeRawBufferPointer?) throws(RequestError) {
        let boundary = try MultipartFields.boundary(contentType)
        mark = ByteBuffer("--\(boundary)")
    }

    /// The number of bytes that were appended but not emitted yet.
    package var waitingBytes: Int { rest.count }

    /// Appends `bytes`, which is empty afterwards.
    package mutating func append(_ bytes: inout ByteBuffer) {
        if rest.isEmpty {
            swap(&rest, &bytes)
        } else {
            rest.append(bytes.bytes)
        }
        bytes.removeAll()
    }

    /// Returns the next event of the appended bytes; nil if more bytes are needed. Throws if the body is invalid.
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

    /// Checks the end of the body. Throws if its last boundary has not arrived.
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
        /// The index up to which the bytes are data. Without `length`, no boundary begins there.
        var start: Int
        /// The length of the boundary with its line ends; nil if no whole boundary has arrived.
        var length: Int?
        var isFinal = false
    }

    private func findBoundary(in bytes: UnsafeRawBufferPointer) -> BoundaryMatch {
        if isAtLineStart, let found = boundary(in: bytes, at: 0, from: 0) { return found }
        var position = 0
        while let offset = bytes[part: position..<bytes.count].first(13) {
            let start = position + offset
            if start + 1 == bytes.count { return BoundaryMatch(start: start) }
            if bytes[start + 1] == 10, let found = boundary(in: bytes, at: start, from: start + 2) { return found }
            position = start + 1
        }
        return BoundaryMatch(start: bytes.count)
    }

    /// Returns the boundary at `from`, or the beginning of one; nil if there is neither. A line that only begins like a
    /// boundary is data.
    private func boundary(in bytes: UnsafeRawBufferPointer, at start: Int, from: Int) -> BoundaryMatch? {
        let rest = bytes[part: from..<bytes.count]
        let common = min(rest.count, mark.count)
        guard rest[part: 0..<common].elementsEqual(mark.bytes[part: 0..<common]) else { return nil }
        let tail = rest[part: common..<rest.count]
        if tail.isEmpty { return BoundaryMatch(start: start) }
        let length = from - start + common
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

/// An event of a `multipart/form-data` body.
package enum MultipartEvent {
    case part(MultipartPart)
    /// Data of the current part. It is never empty, and valid until more is appended to the reader.
    case data(UnsafeRawBufferPointer)
    case partEnd
    /// The last boundary has arrived. Later bytes are ignored.
    case end
}

package struct MultipartPart: Equatable, Sendable {
    /// The name of the form field.
    package let name: String
    /// The file name without path and control characters; nil for a plain field, and empty for a file without a usable
    /// name.
    package let filename: String?
    /// The Content-Type as it was sent; nil if absent.
    package let contentType: String?

    package init(name: String, filename: String?, contentType: String?) {
        self.name = name
        self.filename = filename
        self.contentType = contentType
    }
}
