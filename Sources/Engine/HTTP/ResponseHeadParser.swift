/// The parsed head of a response. Texts are ranges of the head's bytes; empty if a field is absent.
package struct ParsedResponseHead {
    package enum Length: Equatable, Sendable {
        case bytes(Int)
        case chunked
        /// The body lasts until the connection ends. Its length is not announced.
        case open
    }

    package var status = 0
    package var length = Length.open
    package var isKeepAlive = true
    package var contentType = ByteRange()
    package var contentEncoding = ByteRange()
    package var retryAfter = ByteRange()
    package var retryAfterMilliseconds = ByteRange()
    package var shouldRetry = ByteRange()
    package var location = ByteRange()

    /// Returns whether a value of `Content-Encoding` leaves the body as it is.
    ///
    /// Some servers write a word there that is no coding, such as a character set.
    static func isPlain(_ codings: UnsafeRawBufferPointer) -> Bool {
        codings.split(separator: UInt8(ascii: ",")).allSatisfy { coding in
            let coding = UnsafeRawBufferPointer(rebasing: coding).trimmed
            return plainCodings.contains { coding.equalsLowered($0) }
        }
    }

    private static let plainCodings: [StaticString] = ["", "identity", "none", "utf-8", "binary", "aws-chunked"]
}

/// The error for a vendor's response that is not valid HTTP/1.1.
package struct MalformedResponse: Error, Equatable {}

/// A strict parser of HTTP/1.1 response heads (RFC 9112). It skips informational responses (status 1xx).
package struct ResponseHeadParser {
    /// The largest size of a head in bytes, including all informational responses before it.
    package static let headLimitBytes = 65_536
    private static let fieldLimit = 256
    private static let informationalLimit = 16

    /// The number of bytes that were already searched for the end of the head.
    private var searched = 0
    private var informational = 0
    private var skippedBytes = 0

    /// Parses the head at the beginning of `bytes`.
    /// - Parameter bytes: all received bytes from the beginning of the head on, also in a repeated call after more
    ///   bytes arrived.
    /// - Returns: the head and its length; nil if the head is incomplete. For an informational response, `head` is nil:
    ///   remove `length` bytes, then call this function again.
    package mutating func parse(
        _ bytes: UnsafeRawBufferPointer
    ) throws(MalformedResponse) -> (length: Int, head: ParsedResponseHead?)? {
        try Self.checkBeginning(bytes)
        guard let end = endOfHead(bytes) else {
            guard skippedBytes + bytes.count <= Self.headLimitBytes else { throw MalformedResponse() }
            return nil
        }
        guard skippedBytes + end <= Self.headLimitBytes else { throw MalformedResponse() }
        let head = try Self.head(bytes[part: 0..<(end - 2)])
        guard head.status < 200 else { return (end, head) }
        informational += 1
        guard head.status != 101, informational <= Self.informationalLimit else { throw MalformedResponse() }
        skippedBytes += end
        searched = 0
        return (end, nil)
    }

    /// Checks that the bytes begin with `HTTP/1.`, even if only some bytes have arrived.
    private static func checkBeginning(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) {
        let beginning: StaticString = "HTTP/1."
        for index in 0..<min(bytes.count, beginning.utf8CodeUnitCount)
        where bytes[index] != beginning.utf8Start[index] {
            throw MalformedResponse()
        }
    }

    /// Returns the offset after the empty line that ends the head; nil if this line has not arrived.
    private mutating func endOfHead(_ bytes: UnsafeRawBufferPointer) -> Int? {
        while let newline = bytes[part: searched..<bytes.count].firstNewline() {
            let end = searched + newline
            searched = end + 1
            if end >= 3, bytes[end - 1] == 13, bytes[end - 2] == 10, bytes[end - 3] == 13 {
                return end + 1
            }
        }
        searched = bytes.count
        return nil
    }

    /// Parses a complete head: all lines with their line ends, without the empty line.
    private static func head(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) -> ParsedResponseHead {
        var head = ParsedResponseHead()
        var offset = 0
        var count = 0
        var isChunked = false
        var contentLength: Int?
        let isHTTP10 = try statusLine(try line(bytes, &offset), &head)
        while offset < bytes.count {
            let start = offset
            let text = try line(bytes, &offset)
            count += 1
            guard count <= fieldLimit,
                let (name, value) = try? RequestParser.splitField((start, text, false), in: bytes)
            else { throw MalformedResponse() }
            switch bytes[part: name] {
            case let name where name.equalsLowered("content-length"):
                guard contentLength == nil, let length = number(bytes[part: value]) else { throw MalformedResponse() }
                contentLength = length
            case let name where name.equalsLowered("transfer-encoding"):
                guard !isChunked, bytes[part: value].equalsLowered("chunked") else { throw MalformedResponse() }
                isChunked = true
            case let name where name.equalsLowered("connection"):
                if hasMember(bytes[part: value], "close") { head.isKeepAlive = false }
            case let name where name.equalsLowered("content-type"): head.contentType = ByteRange(value)
            case let name where name.equalsLowered("content-encoding"):
                // A coding in any of several fields counts.
                if !ParsedResponseHead.isPlain(bytes[part: value]) { head.contentEncoding = ByteRange(value) }
            case let name where name.equalsLowered("retry-after"): head.retryAfter = ByteRange(value)
            case let name where name.equalsLowered("retry-after-ms") || name.equalsLowered("x-ms-retry-after-ms"):
                head.retryAfterMilliseconds = ByteRange(value)
            case let name where name.equalsLowered("x-should-retry"): head.shouldRetry = ByteRange(value)
            case let name where name.equalsLowered("location"): head.location = ByteRange(value)
            case let name:
                guard (try? RequestParser.checkName(name)) != nil else { throw MalformedResponse() }
            }
        }
        guard !isChunked || contentLength == nil && !isHTTP10 else { throw MalformedResponse() }
        head.length =
            switch (head.status, isChunked, contentLength) {
            case (204, _, _), (304, _, _): .bytes(0)
            case (_, true, _): .chunked
            case (_, _, let length?): .bytes(length)
            default: .open
            }
        if isHTTP10 || head.length == .open { head.isKeepAlive = false }
        return head
    }

    /// Returns the line at `offset` without its line end, and moves `offset` to the next line.
    private static func line(
        _ bytes: UnsafeRawBufferPointer,
        _ offset: inout Int
    ) throws(MalformedResponse) -> UnsafeRawBufferPointer {
        guard let end = bytes[part: offset..<bytes.count].firstNewline(), end > 0, bytes[offset + end - 1] == 13
        else {
            throw MalformedResponse()
        }
        defer { offset += end + 1 }
        return bytes[part: offset..<(offset + end - 1)]
    }

    /// Parses a status line, such as `HTTP/1.1 200 OK`. Returns whether the version is HTTP/1.0.
    private static func statusLine(
        _ line: UnsafeRawBufferPointer,
        _ head: inout ParsedResponseHead
    ) throws(MalformedResponse) -> Bool {
        guard line.count >= 12, line[7] == 48 || line[7] == 49, line[8] == 32, line.count == 12 || line[12] == 32,
            let status = number(line[part: 9..<12]), status >= 100, !hasControl(line)
        else { throw MalformedResponse() }
        head.status = status
        return line[7] == 48
    }

    /// Returns the value of at most 17 decimal digits; nil for any other text.
    private static func number(_ text: UnsafeRawBufferPointer) -> Int? {
        guard !text.isEmpty, text.count <= 17 else { return nil }
        var number = 0
        for byte in text {
            guard byte >= 48, byte <= 57 else { return nil }
            number = number * 10 + Int(byte - 48)
        }
        return number
    }
}
