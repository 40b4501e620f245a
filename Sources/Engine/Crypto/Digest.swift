import CCrypto
import Glibc

/// A digest, made with SHA-256 by default. Digests are compared in constant time.
package struct Digest: Hashable, Sendable {
    /// The bytes of the digest, in groups of eight as they lie in memory.
    package let words: (UInt64, UInt64, UInt64, UInt64)
    package static let byteCount = 32

    package init(of bytes: UnsafeRawBufferPointer) { self.init(of: bytes, Algorithm.sha256) }

    /// Creates a digest from the first half of BLAKE2b's. For long texts it takes half of SHA-256's time on a processor
    /// without SHA instructions. Uses SHA-256 if libcrypto does not provide BLAKE2b.
    package init(quicklyOf bytes: UnsafeRawBufferPointer) { self.init(of: bytes, Algorithm.quick) }

    private init(of bytes: UnsafeRawBufferPointer, _ algorithm: Algorithm) {
        let none: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var room = (none, none)
        let isDone = withUnsafeMutableBytes(of: &room) { room in
            EVP_Digest(bytes.baseAddress, bytes.count, room.baseAddress, nil, algorithm.pointer, nil)
        }
        precondition(isDone == 1, "no digest")
        words = room.0
    }

    /// Creates a digest from its stored bytes.
    package init(bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount)
        func word(_ index: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) }
        words = (word(0), word(1), word(2), word(3))
    }

    package init(of text: String) {
        self = text.withBytes { Digest(of: $0) }
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words, body)
    }

    package static func == (one: Digest, other: Digest) -> Bool {
        one.withBytes { first in other.withBytes { areEqualInConstantTime(first, $0) } }
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// Returns the first characters (at most 43) of the digest's base64url form.
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
    /// The name in logs of the caller with this key: 16 characters that reveal nothing of the key.
    package var callerName: String { base64url(characters: callerNameLength) }

    /// Returns the caller's name from the name itself or from the digest in hexadecimal digits; nil if the text is
    /// neither.
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

/// Compares bytes. The time reveals only their number.
package func areEqualInConstantTime(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
    guard one.count == other.count, let first = one.baseAddress, let second = other.baseAddress else {
        return one.isEmpty && other.isEmpty
    }
    return CRYPTO_memcmp(first, second, one.count) == 0
}

/// A digest algorithm, looked up once: libcrypto's implicit look-up costs more than a short digest.
///
/// `@unchecked`: an `EVP_MD` is constant, and lives as long as the process.
private struct Algorithm: @unchecked Sendable {
    let pointer: OpaquePointer?
    static let sha256 = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil))
    static let quick = EVP_MD_fetch(nil, "BLAKE2B-512", nil).map { Algorithm(pointer: $0) } ?? sha256
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
