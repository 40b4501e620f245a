import Testing

@testable import Engine

@Suite struct RawJSONTests {
    @Test("members and elements are handed over as they are written")
    func walks() {
        let text = ByteBuffer(
            "\u{feff} { \"a\" : [ 1.50 , \"x\\\"}]\" ,{\"b\":[]},null] , \"c\\u0064\":\t{ \"e\": -0 } ,\"f\":true}\n "
        )
        let root = RawJSON(text.bytes)
        #expect(root.isObject && root.bytes.first == UInt8(ascii: "{") && root.bytes.last == UInt8(ascii: "}"))
        #expect(root.members.map { $0.name.text } == ["a", "c\\u0064", "f"])
        #expect(root.members.map { $0.value.bytes.count } == [32, 11, 4])
        let list = root["a"]
        #expect(list?.elements.map { $0.bytes.text } == ["1.50", "\"x\\\"}]\"", "{\"b\":[]}", "null"])
        #expect(list?.elements.map(\.isNull) == [false, false, false, true])
        #expect(root["f"]?.bytes.text == "true" && root["g"] == nil)
        #expect(root["f"]?.elements.first { _ in true } == nil)
    }

    @Test("a broken text gives something, and nothing outside of it")
    func broken() {
        let text = Array(#"{"a":[{"b":"c\"d"},[1,{}]],"e":{"f":"g"}} "#.utf8)
        for end in 0...text.count {
            for skipped in [0, 1, 5] where skipped <= end {
                var cut = ByteBuffer()
                text[skipped..<end].withUnsafeBytes { cut.append($0) }
                for member in RawJSON(cut.bytes).members {
                    for inner in member.value.elements { _ = inner.members.reduce(0) { $0 + $1.value.bytes.count } }
                }
            }
        }
    }
}
