/// A checked request; its body may still be coming.
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

    /// Decoded, without repeated and trailing slashes, without the query.
    package var path: UnsafeRawBufferPointer { bytes.bytes[part: pathRange] }

    /// As it was sent, without the query.
    package var rawPath: UnsafeRawBufferPointer { bytes.bytes[part: head.path.range] }

    /// The field's value, nil if it is absent or empty.
    package subscript(_ field: HeaderField) -> UnsafeRawBufferPointer? {
        let range = head[field]
        return range.isEmpty ? nil : bytes.bytes[part: range.range]
    }
}
