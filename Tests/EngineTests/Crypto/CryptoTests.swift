import Engine
import Testing

@Suite struct CryptoTests {
    @Test(
        "SHA-256 of known texts (FIPS 180-4 examples)",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func knownDigests(text: String, hex: String) {
        #expect(digits(Digest(of: text)) == hex)
    }

    @Test("HMAC-SHA-256 of known texts (RFC 4231), whatever key the thread used before")
    func knownCodes() {
        let vectors: [([UInt8], String, String)] = [
            (
                [UInt8](repeating: 0x0B, count: 20), "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
            ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        ]
        for (key, text, hex) in vectors + vectors.reversed() {
            let code = hmac(key: key, Array(text.utf8))
            #expect(code.withUnsafeBytes { digits(Digest(bytes: $0)) } == hex)
        }
    }

    @Test("the quick digest is half of BLAKE2b's (RFC 7693, appendix A)")
    func quickDigest() {
        let digest = Array("abc".utf8).withUnsafeBytes { Digest(quicklyOf: $0) }
        #expect(digits(digest) == "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1")
    }

    private func digits(_ digest: Digest) -> String {
        digest.withBytes { bytes in bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
    }

    @Test("base64url, cut anywhere")
    func base64url() {
        let whole = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        for count in 0...43 { #expect(Digest(of: "abc").base64url(characters: count) == String(whole.prefix(count))) }
        #expect(Digest(of: "abc").callerName == "ungWv48Bz-pBQUDe")
    }

    @Test("digests are equal when their texts are")
    func equality() {
        #expect(Digest(of: "a") == Digest(of: "a") && Digest(of: "a") != Digest(of: "b"))
        #expect(Set([Digest(of: "a"), Digest(of: "a"), Digest(of: "b")]).count == 2)
    }

    @Test(
        "comparison in constant time",
        arguments: [("", "", true), ("a", "", false), ("ab", "ab", true), ("ab", "ac", false), ("ab", "abc", false)]
    )
    func comparison(one: String, other: String, isEqual: Bool) {
        let isSame = Array(one.utf8).withUnsafeBytes { first in
            Array(other.utf8).withUnsafeBytes { areEqualInConstantTime(first, $0) }
        }
        #expect(isSame == isEqual)
    }

    @Test("ids are of letters and digits, of one length, and never twice, over many refills")
    func ids() {
        let random = RandomBytes()
        var seen: Set<String> = []
        var counts: [Character: Int] = [:]
        for _ in 0..<5_000 {
            let id = random.id("chatcmpl-")
            #expect(id.hasPrefix("chatcmpl-") && id.utf8.count == 9 + 24)
            seen.insert(id)
            for character in id.dropFirst(9) { counts[character, default: 0] += 1 }
        }
        #expect(seen.count == 5_000)
        #expect(counts.count == 62 && counts.keys.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        // 120,000 characters are 1,935 of each; 10 standard deviations are 440.
        #expect(counts.values.allSatisfy { (1_495...2_375).contains($0) })
    }

    @Test("two sources give different ids")
    func twoSources() { #expect(RandomBytes().id("") != RandomBytes().id("")) }

    @Test("a caller's name in logs is known as it is, and by the whole digest in hexadecimal digits")
    func callerNames() {
        let name = Digest(of: "abc").callerName
        let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(name == "ungWv48Bz-pBQUDe")
        for text in [name, digits, digits.uppercased()] { #expect(Digest.callerName(of: text) == name) }
        for text in [
            "", String(name.dropLast()), name + "a", "ungWv48Bz+pBQUDe", String(digits.dropLast()), "é" + digits,
        ] {
            #expect(Digest.callerName(of: text) == nil, "\(text)")
        }
    }
}
