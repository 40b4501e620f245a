import CCrypto
package import Engine
import Glibc

/// Unguessable ids from the kernel's random bytes, fetched 4 KB at a time.
///
/// `@unchecked`: used by one thread only, the one that owns it (an event loop's).
package final class RandomBytes: @unchecked Sendable {
    private var bytes = [UInt8](repeating: 0, count: 4_096)
    private var next = 4_096
    /// Letters and digits of an id: 142 random bits.
    package static let idLength = 24

    package init() {}

    /// `prefix` and 24 letters and digits.
    package func appendID(_ prefix: StaticString, into buffer: inout ByteBuffer) {
        buffer.append(prefix)
        let room = buffer.reserve(RandomBytes.idLength)
        var count = 0
        while count < RandomBytes.idLength {
            let value = take() & 63
            guard value < 62 else { continue }  // so that each character is as likely as any other
            room.storeBytes(of: character(value), toByteOffset: count, as: UInt8.self)
            count += 1
        }
        buffer.wrote(count)
    }

    package func id(_ prefix: StaticString) -> String {
        var buffer = ByteBuffer()
        appendID(prefix, into: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    /// A byte is given once and then wiped.
    private func take() -> UInt8 {
        if next == bytes.count { refill() }
        defer {
            bytes[next] = 0
            next += 1
        }
        return bytes[next]
    }

    private func refill() {
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                getrandom($0.baseAddress.map { $0 + filled }, $0.count - filled, 0)
            }
            precondition(count > 0 || errno == EINTR, "the kernel gives no random bytes")
            filled += max(0, count)
        }
        next = 0
    }

    private func character(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<10: UInt8(ascii: "0") + value
        case 10..<36: UInt8(ascii: "A") + value - 10
        default: UInt8(ascii: "a") + value - 36
        }
    }
}
