import CCrypto
import Glibc

/// A generator of ids and numbers that cannot be guessed.
///
/// `@unchecked`: only one thread uses an object at a time: the thread of one loop, or a thread that holds a lock.
package final class RandomBytes: RandomNumberGenerator, @unchecked Sendable {
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    private var position = capacity
    private static let capacity = 4_096
    /// The number of letters and digits in an id after its prefix. They contain 142 random bits.
    package static let idLength = 24

    package init() {}

    deinit { bytes.deallocate() }

    /// Appends an id to the buffer: `prefix`, then 24 random letters and digits.
    package func appendID(_ prefix: StaticString, into buffer: inout ByteBuffer) {
        buffer.append(prefix)
        let room = buffer.reserve(RandomBytes.idLength)
        let characters = RandomBytes.characters.utf8Start
        var position = self.position
        var count = 0
        while count < RandomBytes.idLength {
            if position == RandomBytes.capacity {
                refill()
                position = 0
            }
            let value = Int(bytes.load(fromByteOffset: position, as: UInt8.self) & 63)
            bytes.storeBytes(of: 0, toByteOffset: position, as: UInt8.self)  // used once, and kept nowhere
            position &+= 1
            guard value < 62 else { continue }  // so that all characters are equally likely
            room.storeBytes(of: characters[value], toByteOffset: count, as: UInt8.self)
            count &+= 1
        }
        self.position = position
        buffer.wrote(count)
    }

    package func id(_ prefix: StaticString) -> String {
        var buffer = ByteBuffer()
        appendID(prefix, into: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    package func next() -> UInt64 {
        if position > RandomBytes.capacity - 8 {
            refill()
            position = 0
        }
        defer { position += 8 }
        defer { bytes.storeBytes(of: 0, toByteOffset: position, as: UInt64.self) }
        return bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
    }

    private func refill() {
        var filled = 0
        while filled < RandomBytes.capacity {
            let count = getrandom(bytes + filled, RandomBytes.capacity - filled, 0)
            precondition(count > 0 || errno == EINTR, "the kernel gives no random bytes")
            filled += max(0, count)
        }
    }

    private static let characters: StaticString = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
}
