import CCrypto
import Glibc

/// A generator of ids and numbers that cannot be guessed.
///
/// `@unchecked`: only one thread uses an object at a time: the thread of one loop, or a thread that holds a lock.
package final class RandomBytes: RandomNumberGenerator, @unchecked Sendable {
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    private var offset = capacity
    private static let capacity = 4_096
    /// The number of letters and digits in an id after its prefix. They contain 142 random bits.
    package static let idLength = 24

    package init() {}

    deinit { bytes.deallocate() }

    /// Appends an id to the buffer: `prefix`, then 24 random letters and digits.
    package func appendID(_ prefix: StaticString, into buffer: inout ByteBuffer) {
        buffer.append(prefix)
        fill(buffer.reserve(RandomBytes.idLength))
        buffer.wrote(RandomBytes.idLength)
    }

    private func fill(_ room: UnsafeMutableRawPointer) {
        let characters = RandomBytes.characters.utf8Start
        var place = 0
        while place < RandomBytes.idLength {
            // Eight digits of base 62 of the number as a fraction of 2^64: their likelihoods differ by one in 80,000.
            var fraction = next()
            for _ in 0..<8 {
                let (digit, rest) = fraction.multipliedFullWidth(by: 62)
                room.storeBytes(of: characters[Int(truncatingIfNeeded: digit)], toByteOffset: place, as: UInt8.self)
                fraction = rest
                place &+= 1
            }
        }
    }

    package func id(_ prefix: StaticString) -> String {
        let start = prefix.utf8CodeUnitCount
        return String(unsafeUninitializedCapacity: start + RandomBytes.idLength) { room in
            guard let base = UnsafeMutableRawPointer(room.baseAddress) else { return 0 }
            base.copyMemory(from: prefix.utf8Start, byteCount: start)
            fill(base + start)
            return start + RandomBytes.idLength
        }
    }

    /// Returns a random number. Its bytes are used once, and kept nowhere.
    package func next() -> UInt64 {
        if offset > RandomBytes.capacity - 8 {
            refill()
            offset = 0
        }
        defer { offset += 8 }
        defer { bytes.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self) }
        return bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
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
