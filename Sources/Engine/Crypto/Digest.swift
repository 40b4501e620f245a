import CCrypto
import Glibc

/// A digest (hash) of 32 bytes, made with SHA-256 unless stated otherwise. `==` takes constant time.
package struct Digest: Hashable, Sendable {
    /// The 32 bytes of the digest as four words, in memory order.
    package let words: (UInt64, UInt64, UInt64, UInt64)
    package static let byteCount = 32

    package init(of bytes: UnsafeRawBufferPointer) { self.init(of: bytes, Algorithm.sha256) }

    /// Creates a digest from the first half of a BLAKE2b-512 digest. Uses SHA-256 if libcrypto has no BLAKE2b.
    package init(quicklyOf bytes: UnsafeRawBufferPointer) { self.init(of: bytes, Algorithm.quick) }

    private init(of bytes: UnsafeRawBufferPointer, _ algorithm: Algorithm) {
        let none: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var room = (none, none)
        let isDone = withUnsafeMutableBytes(of: &room) { room in
            relay_digest(bytes.baseAddress, bytes.count, room.baseAddress, algorithm.pointer, algorithm.number)
        }
        precondition(isDone, "no digest")
        words = room.0
    }

    /// Creates a digest from the 32 bytes of a stored digest.
    package init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount)
        func word(_ index: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
        words = (word(0), word(1), word(2), word(3))
    }

    package init(of text: String) { self = text.withBytes { Digest(of: $0) } }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words, body)
    }

    package static func == (one: Digest, other: Digest) -> Bool {
        let (first, second) = (one.words, other.words)
        // All words are compared, wherever the first difference is.
        return (first.0 ^ second.0) | (first.1 ^ second.1) | (first.2 ^ second.2) | (first.3 ^ second.3) == 0
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// Returns the first `characters` characters of the digest in base64url form, at most 43.
    package func base64url(characters: Int) -> String {
        precondition(characters <= 43)
        return withBytes { bytes in
            String(unsafeUninitializedCapacity: characters) { room in
                for index in 0..<characters {
                    let (byte, shift) = (index * 6 / 8, index * 6 % 8)
                    let next = byte + 1 < bytes.count ? UInt(bytes[byte + 1]) : 0
                    let pair = UInt(bytes[byte]) << 8 | next
                    room[index] = base64urlCharacter(pair >> UInt(10 - shift) & 63)
                }
                return characters
            }
        }
    }
}

extension Digest {
    /// Returns the first bytes of the digest as hexadecimal digits, two for each byte.
    package func hexadecimal(bytes count: Int) -> String {
        withBytes { bytes in bytes.prefix(count).map { String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined() }
    }

    /// The log name of the caller whose key has this digest. The name does not reveal the key.
    package var callerName: String { base64url(characters: callerNameLength) }

    /// Returns the log name of a caller; nil if `text` is invalid.
    /// - Parameter text: the log name, or the digest of the key in hexadecimal digits.
    package static func callerName(of text: String) -> String? {
        let bytes = Array(text.utf8)
        if bytes.count == callerNameLength {
            return bytes.allSatisfy { byte in (0..<64).contains { base64urlCharacter($0) == byte } } ? text : nil
        }
        let digits = bytes.compactMap(\.hexValue)
        guard bytes.count == 2 * byteCount, digits.count == bytes.count else { return nil }
        let digest = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        return digest.withUnsafeBytes { Digest(bytes: $0).callerName }
    }
}

private let callerNameLength = 16

/// Returns whether both byte ranges are equal. The time depends only on their lengths.
package func areEqualInConstantTime(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count, let first = one.baseAddress, let second = other.baseAddress else {
        return one.isEmpty && other.isEmpty
    }
    return CRYPTO_memcmp(first, second, one.count) == 0
}

/// A digest algorithm of libcrypto.
///
/// `@unchecked`: an `EVP_MD` is constant, and lives as long as the process.
private struct Algorithm: @unchecked Sendable {
    let pointer: OpaquePointer?
    let number: Int32
    static let sha256 = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil), number: 0)
    static let quick = EVP_MD_fetch(nil, "BLAKE2B-512", nil).map { Algorithm(pointer: $0, number: 1) } ?? sha256
}

private func base64urlCharacter(_ value: UInt) -> UInt8 {
    switch UInt8(value) {
    case 0..<26: UInt8(ascii: "A") + UInt8(value)
    case 26..<52: UInt8(ascii: "a") + UInt8(value) - 26
    case 52..<62: UInt8(ascii: "0") + UInt8(value) - 52
    case 62: UInt8(ascii: "-")
    default: UInt8(ascii: "_")
    }
}
