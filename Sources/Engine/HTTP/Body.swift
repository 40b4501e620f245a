/// Bytes that several owners may hold; a class, since a task's closure cannot take over a noncopyable value.
package final class Body: Sendable {
    private let buffer: ByteBuffer
    package init(_ buffer: consuming ByteBuffer) { self.buffer = buffer }
    package var bytes: UnsafeRawBufferPointer { buffer.bytes }
    package var text: String { buffer.text }

    package func read(_ reading: (borrowing ByteBuffer) -> Void) { reading(buffer) }
}
