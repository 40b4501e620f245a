import CCrypto
package import Engine
import Glibc

/// Unguessable ids from the kernel's random bytes, fetched 4 KB at a time.
///
/// `@unchecked`: used by one thread only, the one that owns it (an event loop's).
package final class RandomBytes: @unchecked Sendable {
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    private var next = capacity
    private static let capacity = 4_096
    /// Letters and digits of an id: 142 random bits.
    package static let idLength = 24

    package init() {}

    deinit { bytes.deallocate() }

    /// `prefix` and 24 letters and digits.
    package func appendID(_ prefix: StaticString, into buffer: inout ByteBuffer) {
        buffer.append(prefix)
        let room = buffer.reserve(RandomBytes.idLength)
        var next = self.next
        var count = 0
        while count < RandomBytes.idLength {
            if next == RandomBytes.capacity {
                refill()
                next = 0
            }
            let value = bytes.load(fromByteOffset: next, as: UInt8.self) & 63
            bytes.storeBytes(of: 0, toByteOffset: next, as: UInt8.self)  // given once, and kept nowhere
            next += 1
            guard value < 62 else { continue }  // so that each character is as likely as any other
            room.storeBytes(of: character(value), toByteOffset: count, as: UInt8.self)
            count += 1
        }
        self.next = next
        buffer.wrote(count)
    }

    package func id(_ prefix: StaticString) -> String {
        var buffer = ByteBuffer()
        appendID(prefix, into: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    private func refill() {
        var filled = 0
        while filled < RandomBytes.capacity {
            let count = getrandom(bytes + filled, RandomBytes.capacity - filled, 0)
            precondition(count > 0 || errno == EINTR, "the kernel gives no random bytes")
            filled += max(0, count)
        }
    }

    private func character(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<10: UInt8(ascii: "0") + value
        case 10..<36: UInt8(ascii: "A") + value - 10
        default: UInt8(ascii: "a") + value - 36
        }
    }
}
