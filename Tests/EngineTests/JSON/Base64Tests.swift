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
}
