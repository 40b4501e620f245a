import Support
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

    @Test("the end of a nest is found wherever brackets, quotes and escapes stand", arguments: 0..<40 as Range<UInt64>)
    func nests(seed: UInt64) {
        var random = Seeded(seed)
        let within = random.pick([
            ["\\\"", "\\\\"], ["\\\"", "{", "]"], ["aaaaaaaaaaaaaaaa", "\\n", "\\\\"], ["a", "}"],
        ])
        for _ in 0..<200 {
            var text = random.pick(["[", "{"])
            for _ in 0..<random.below(random.pick([4, 10, 40])) {
                let letters = (0..<random.below(random.pick([3, 10, 80]))).map { _ in random.pick(within) }
                text += random.pick(["[", "{", "]", "}", " ", "1", "\"\(letters.joined())\""])
            }
            let nest = ByteBuffer(text + ",\"behind\"]")
            let outer = ByteBuffer("[" + nest.text)
            let found = RawJSON(outer.bytes).elements.first { _ in true }?.bytes.count
            let wanted = endOfNest(Array(nest.bytes))
            #expect(found == wanted, "\(nest.text)")
        }
    }
}

/// Returns the end of a nested value, found byte by byte.
private func endOfNest(_ text: [UInt8]) -> Int {
    var (depth, isString, isEscaped) = (0, false, false)
    for (offset, byte) in text.enumerated() {
        if isString {
            if isEscaped {
                isEscaped = false
            } else if byte == 92 {
                isEscaped = true
            } else if byte == 34 {
                isString = false
            }
        } else if byte == 34 {
            isString = true
        } else if byte == 123 || byte == 91 {
            depth += 1
        } else if byte == 125 || byte == 93 {
            depth -= 1
            if depth == 0 { return offset + 1 }
        }
    }
    return text.count
}
