/// A request whose head has been parsed and checked. Its body may still be arriving.
package final class Request: Sendable {
    package let method: Method
    package let body: RequestBody
    package let peer: PeerAddress
    private let head: RequestHead
    private let bytes: ByteBuffer
    private let pathRange: Range<Int>

    init(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, body: RequestBody, peer: PeerAddress) {
        method = head.method
        self.body = body
        self.peer = peer
        self.head = head
        var kept = ByteBuffer()
        kept.append(bytes)
        if head.isPathPlain {
            pathRange = head.path.range
        } else {
            RequestTarget.normalise(bytes[part: head.path.range], into: &kept)
            pathRange = bytes.count..<kept.count
        }
        self.bytes = kept
    }

    /// The decoded path, without the query. Repeated and trailing slashes are removed.
    package var path: UnsafeRawBufferPointer { bytes.bytes[part: pathRange] }

    /// The path as the client sent it, without the query.
    package var rawPath: UnsafeRawBufferPointer { bytes.bytes[part: head.path.range] }

    /// The query as the client sent it, without the question mark; empty if there is none.
    var query: UnsafeRawBufferPointer {
        let rest = bytes.bytes[part: Int(head.path.end)..<bytes.count]
        guard rest.first == UInt8(ascii: "?"), let end = rest.first(UInt8(ascii: " ")) else { return rest[part: 0..<0] }
        return rest[part: 1..<end]
    }

    /// Returns all values of a repeated header field, in their order.
    package func lines(of field: HeaderField) -> [UnsafeRawBufferPointer] { lines(named: field.name) }

    /// Returns all values of a header field, in their order. Use it only for fields that are rarely read.
    /// - Parameter name: the field's name in lower case.
    package func lines(named name: StaticString) -> [UnsafeRawBufferPointer] { lines { $0.equalsLowered(name) } }

    @_disfavoredOverload
    package func lines(named name: String) -> [UnsafeRawBufferPointer] { lines { $0.equalsLowered(name) } }

    private func lines(where isWanted: (UnsafeRawBufferPointer) -> Bool) -> [UnsafeRawBufferPointer] {
        var values: [UnsafeRawBufferPointer] = []
        var rest = bytes.bytes
        while let end = rest.firstNewline() {
            let line = rest[part: 0..<max(0, end - 1)]
            if let colon = line.first(UInt8(ascii: ":")), isWanted(line[part: 0..<colon]) {
                values.append(line[part: (colon + 1)..<line.count].trimmed)
            }
            rest = rest[part: (end + 1)..<rest.count]
        }
        return values
    }

    /// Whether the request has a header field that proxies add, such as `X-Forwarded-For` or `Via`.
    package var isForwarded: Bool {
        var rest = bytes.bytes
        while let end = rest.firstNewline() {
            let name = rest[part: 0..<(rest.first(UInt8(ascii: ":")) ?? 0)]
            for field in Self.forwarding where name.equalsLowered(field) { return true }
            rest = rest[part: (end + 1)..<rest.count]
        }
        return false
    }

    private static let forwarding: [StaticString] = [
        "forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
        "x-forwarded-server", "x-client-ip", "true-client-ip", "cf-connecting-ip",
    ]

    /// Returns the value of a header field; nil if the field is absent or empty.
    package subscript(_ field: HeaderField) -> UnsafeRawBufferPointer? { value(at: head[field]) }

    /// Returns whether the request has this header field, also with an empty value.
    package func has(_ field: HeaderField) -> Bool { head[field].end != 0 }

    /// The name of the agent's session that the request belongs to; nil if no header field names one.
    package var session: UnsafeRawBufferPointer? { value(at: head.session) }

    private func value(at range: ByteRange) -> UnsafeRawBufferPointer? {
        range.isEmpty ? nil : bytes.bytes[part: range.range]
    }

    /// The decoded items of the query, such as `limit=2&after=x`, in their order.
    package var queryFields: [(name: String, text: String)] {
        query.split(separator: UInt8(ascii: "&")).map { field in
            let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (RequestTarget.decoded(parts[0]), parts.count == 2 ? RequestTarget.decoded(parts[1]) : "")
        }
    }
}
