import Testing

@testable import Engine

@Suite struct Base64Tests {
    @Test(
        "the examples of RFC 4648, 10, and bytes of all values",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"), ("\u{3ff}\u{7ff}?>~", "z7/fvz8+fg=="),
        ]
    )
    func writes(_ text: String, _ expected: String) {
        let data = ByteBuffer(text)
        var out = ByteBuffer("x")
        out.append(base64: data.bytes)
        #expect(out.text == "x" + expected)
    }

    @Test(
        "base64 of RFC 4648, 10",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ]
    )
    func base64(plain: String, coded: String) {
        #expect(Base64.standard.text(Array(plain.utf8)) == coded)
        #expect(Base64.standard.bytes(coded.utf8) == Array(plain.utf8))
        let bare = coded.filter { $0 != "=" }
        #expect(Base64.url.text(Array(plain.utf8)) == bare)
        #expect(Base64.url.bytes(bare.utf8) == Array(plain.utf8))
        #expect(Base64.standard.bytes(bare.utf8) == Array(plain.utf8))
    }

    @Test("all bytes go through base64, and what is none is refused")
    func base64Bounds() {
        let all = Array(UInt8.min...UInt8.max)
        #expect(Base64.url.bytes(Base64.url.text(all).utf8) == all)
        #expect(Base64.standard.bytes(Base64.standard.text(all).utf8) == all)
        #expect(Base64.url.text([0xfb, 0xff]) == "-_8" && Base64.standard.text([0xfb, 0xff]) == "+/8=")
        for text in [
            "Z", "Zh", "Zm9", "Zm9v!", "Zg=", "Zg===", "=", "Z===", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm9vZ", "-_8",
        ] {
            #expect(Base64.standard.bytes(text.utf8) == nil, "\(text)")
        }
        for text in ["Zg==", "+/8", "Zh", "Z"] { #expect(Base64.url.bytes(text.utf8) == nil, "\(text)") }
    }
}
