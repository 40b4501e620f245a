/// Bytes that several owners may hold. A class, because a task's closure cannot take over a noncopyable value.
package final class Body: Sendable {
    private let buffer: ByteBuffer
    /// The reserved memory of these bytes, held as long as they exist; nil if they are counted as a part of something
    /// larger.
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
