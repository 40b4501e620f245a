import Testing

@testable import Engine

@Suite struct SealingKeyTests {
    private struct Vector: CustomTestStringConvertible {
        let key: String
        let nonce: String
        let plain: String
        let context: String
        let coded: String
        let tag: String
        var testDescription: String { tag }
    }

    /// The test cases 13 to 16 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega.
    private static let vectors = [
        Vector(
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            plain: "",
            context: "",
            coded: "",
            tag: "530f8afbc74536b9a963b4f1c4cb738b"
        ),
        Vector(
            key: String(repeating: "00", count: 32),
            nonce: String(repeating: "00", count: 12),
            plain: String(repeating: "00", count: 16),
            context: "",
            coded: "cea7403d4d606b6e074ec5d3baf39d18",
            tag: "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
            context: "",
            coded: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
            tag: "b094dac5d93471bdec1a502270e3cc6c"
        ),
        Vector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            plain: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            context: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            coded: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            tag: "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ]

    @Test("AES-256-GCM of published test cases", arguments: vectors)
    private func gcm(vector: Vector) {
        let key = SealingKey(bytes(vector.key))
        let nonce = bytes(vector.nonce)
        let sealed = key.seal(bytes(vector.plain), nonce: nonce, context: bytes(vector.context))
        #expect(sealed == bytes(vector.coded) + bytes(vector.tag))
        #expect(key.open(nonce + sealed, context: bytes(vector.context)) == bytes(vector.plain))
    }

    @Test("HKDF-SHA256 of RFC 5869, A.1 to A.3")
    func derivation() {
        let first = hkdf(
            [UInt8](repeating: 0x0b, count: 22),
            salt: bytes("000102030405060708090a0b0c"),
            info: bytes("f0f1f2f3f4f5f6f7f8f9"),
            count: 42
        )
        #expect(
            first
                == bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        )
        let long = hkdf(Array(0...0x4f), salt: Array(0x60...0xaf), info: Array(0xb0...0xff), count: 82)
        #expect(
            long
                == bytes(
                    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                        + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
                )
        )
        let plain = hkdf([UInt8](repeating: 0x0b, count: 22), salt: [], info: [], count: 42)
        #expect(
            plain == bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        )
    }

    @Test("nothing that was changed anywhere, cut, or meant for another key or context opens")
    func changes() {
        let key = SealingKey(derivedFrom: [1, 2, 3], for: [1])
        let sealed = key.seal(Array("a secret".utf8), context: [7])
        #expect(key.open(sealed, context: [7]) == Array("a secret".utf8))
        #expect(sealed.count == 8 + SealingKey.overhead)
        for offset in sealed.indices {
            var changed = sealed
            changed[offset] ^= 1
            #expect(key.open(changed, context: [7]) == nil)
            #expect(key.open(Array(sealed[..<offset]), context: [7]) == nil)
        }
        #expect(key.open(sealed + [0], context: [7]) == nil)
        #expect(key.open(sealed, context: [8]) == nil && key.open(sealed, context: []) == nil)
        #expect(SealingKey(derivedFrom: [1, 2, 3], for: [2]).open(sealed, context: [7]) == nil)
        #expect(SealingKey(derivedFrom: [1, 2, 4], for: [1]).open(sealed, context: [7]) == nil)
        #expect(SealingKey(derivedFrom: [1, 2, 3], for: [1]).open(sealed, context: [7]) != nil)
        #expect(key.seal([], context: []) != key.seal([], context: []))
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
