/// A strict parser of one HTTP/1.1 response (RFC 9112). Bytes may arrive in chunks of any size.
package struct ResponseDecoder: ~Copyable {
    /// The next expected part of the response. `open` means a body that lasts until the connection ends.
    private enum Part {
        case head
        case bytes(Int)
        case chunks
        case open
        case done
    }

    private var part = Part.head
    private var parser = ResponseHeadParser()
    private var chunks = ChunkedBody()
    /// The received bytes that cannot be parsed until more bytes arrive.
    private var unread = ByteBuffer()

    /// The largest number of bytes that are reserved for a body before it arrives.
    private static let reservedBytes = 16_384

    package init() {}

    /// Whether the whole response has been parsed.
    package var isDone: Bool { if case .done = part { true } else { false } }

    /// Parses received bytes, and appends the bytes of the response's body to `body`.
    /// - Parameter onHead: called once, with the parsed head and the bytes to which the head's ranges refer.
    /// - Throws: `MalformedResponse`, also if more bytes follow after the response.
    package mutating func consume(
        _ bytes: UnsafeRawBufferPointer,
        into body: inout ByteBuffer,
        onHead: (ParsedResponseHead, UnsafeRawBufferPointer) -> Void
    ) throws(MalformedResponse) {
        if unread.isEmpty {
            let count = try read(bytes, &body, onHead)
            if count < bytes.count { unread.append(bytes[part: count..<bytes.count]) }
        } else {
            var all = ByteBuffer()
            swap(&all, &unread)
            all.append(bytes)
            all.removeFirst(try read(all.bytes, &body, onHead))
            if !all.isEmpty { swap(&all, &unread) }
        }
    }

    /// Handles the end of the connection. Returns false if the response is incomplete.
    package mutating func end() -> Bool {
        if case .open = part { part = .done }
        return isDone
    }

    /// Parses as many bytes as possible. Returns the number of bytes consumed.
    private mutating func read(
        _ bytes: UnsafeRawBufferPointer,
        _ body: inout ByteBuffer,
        _ onHead: (ParsedResponseHead, UnsafeRawBufferPointer) -> Void
    ) throws(MalformedResponse) -> Int {
        var offset = 0
        while true {
            let rest = bytes[part: offset..<bytes.count]
            switch part {
            case .head:
                guard let (length, head) = try parser.parse(rest) else { return offset }
                offset += length
                guard let head else { continue }
                begin(head, &body)
                onHead(head, rest)
            case .bytes(let left):
                let count = min(left, rest.count)
                body.append(rest[part: 0..<count])
                offset += count
                part = count == left ? .done : .bytes(left - count)
                if count < left { return offset }
            case .chunks:
                do throws(RequestError) { offset += try chunks.consume(rest, into: &body) } catch {
                    throw MalformedResponse()
                }
                guard chunks.isDone else { return offset }
                part = .done
            case .open:
                body.append(rest)
                return bytes.count
            case .done:
                guard rest.isEmpty else { throw MalformedResponse() }
                return offset
            }
        }
    }

    private mutating func begin(_ head: ParsedResponseHead, _ body: inout ByteBuffer) {
        switch head.length {
        case .bytes(let count):
            part = .bytes(count)
            _ = body.canReserve(min(count, Self.reservedBytes))
        case .chunked: part = .chunks
        case .open: part = .open
        }
    }
}
