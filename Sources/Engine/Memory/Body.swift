/// Bytes that several owners can share, such as the body of a request.
package final class Body: Sendable {
    private let buffer: ByteBuffer
    /// The reservation for the memory of these bytes; nil if their memory is reserved elsewhere.
    private let reservation: MemoryReservation?

    package init(_ buffer: consuming ByteBuffer, _ reservation: MemoryReservation? = nil) {
        self.buffer = buffer
        self.reservation = reservation
    }

    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        var copy = ByteBuffer()
        copy.append(bytes)
        self.init(copy)
    }

    package var bytes: UnsafeRawBufferPointer { buffer.bytes }
    package var text: String { buffer.text }

    package func read(_ reading: (borrowing ByteBuffer) -> Void) { reading(buffer) }
}
