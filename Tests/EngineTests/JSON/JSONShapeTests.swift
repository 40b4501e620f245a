import Support
import Testing

@testable import Engine

@Suite struct JSONShapeTests {
    private let bound = JSONShape.Bound(values: 1_000_000, elements: 1_000_000, depth: 1_024)

    private func shape(_ text: String, _ bound: JSONShape.Bound? = nil) -> JSONShape {
        var text = text
        return text.withUTF8 { JSONShape(UnsafeRawBufferPointer($0), upTo: bound ?? self.bound) }
    }

    @Test(
        "values, elements of the root's arrays, and depth",
        arguments: [
            ("1", 1, 0, 0), ("\"a,b:[{\"", 1, 0, 0), ("[]", 1, 0, 1), ("{}", 1, 0, 1), ("[1]", 2, 0, 1),
            ("[1,2,[3]]", 5, 1, 2), (#"{"a":1}"#, 2, 0, 1), (#"{"a":[1,2,3]}"#, 5, 3, 2),
            (#"{"a":[],"b":[ ]}"#, 3, 0, 2), (#"{"a":[{"x":[1,2,3,4]},{}]}"#, 9, 2, 4),
            (#"{"a\\\"[1,2":["\\",",","]"]}"#, 5, 3, 2), (" \n{ \"a\" : [ \"b\" , null ] } ", 4, 2, 2),
        ]
    )
    func counts(text: String, values: Int, elements: Int, depth: Int) {
        let shape = shape(text)
        #expect(shape.values == values && shape.maxElements == elements && shape.depth == depth, "\(shape)")
    }

    @Test("a string ends at the first quote that no backslash escapes", arguments: 0..<20 as Range<UInt64>)
    func strings(seed: UInt64) {
        var random = Seeded(seed)
        for length in 0..<80 {
            let odd = random.below(12) + 2
            let text = (0..<length).map { _ in
                random.pick([UInt8](repeating: 97, count: odd) + [34, 92, 92, 10, 0, 0xc3])
            }
            let start = random.below(length + 1)
            var end = start
            while end < length, text[end] != 34 { end += text[end] == 92 ? 2 : 1 }
            #expect(text.withUnsafeBytes { JSONShape.endOfString(in: $0, after: start) } == min(end, length), "\(text)")
        }
    }

    @Test("the longest array's name is told, if it is plain")
    func names() {
        #expect(shape(#"{"a":[1],"messages":[1,2],"b":[3]}"#).maxElementsName == "messages")
        #expect(shape(#"{"m\u0065":[1,2]}"#).maxElementsName == "")
        #expect(shape(#"{"\#(String(repeating: "x", count: 65))":[1,2]}"#).maxElementsName == "")
        #expect(shape("[[1,2]]").maxElementsName == "")
    }

    @Test("it ends where a bound is passed, or the text")
    func ends() {
        let few = JSONShape.Bound(values: 10, elements: 5, depth: 3)
        #expect(shape("[" + String(repeating: "0,", count: 1_000) + "0]", few).values == 11)
        #expect(shape(#"{"a":["# + String(repeating: "0,", count: 1_000) + "0]}", few).maxElements == 6)
        #expect(shape(String(repeating: "[", count: 5_000), few).depth == 4)
        #expect(shape(String(repeating: "[", count: 5_000)).depth == 1_025)
        for text in ["", "\"", "\"abc", "\"abc\\", "]", "}}}}", "{\"a\"", "[,,,]", ":::", "{\"a\":"] {
            #expect(shape(text).isWithin(bound), "whatever is no JSON: \(text)")
        }
    }

    @Test("what the parser builds is what was counted, of random texts")
    func agreesWithParser() throws {
        let parser = JSONParser()
        for seed in 0..<300 {
            var random = Seeded(UInt64(seed))
            let text = Self.text(&random, depth: 0)
            let buffer = ByteBuffer(text)
            let counted = Self.count(try parser.parse(buffer.bytes))
            #expect(JSONShape(buffer.bytes, upTo: bound).values == counted, "\(text)")
        }
    }

    private static func text(_ random: inout Seeded, depth: Int) -> String {
        let spaces = ["", " ", "\n", "  \t"]
        let kinds = depth > 5 ? 4 : 6
        let space = random.pick(spaces)
        switch random.below(kinds) {
        case 0: return space + random.pick(["0", "-1.5e3", "true", "false", "null", "123456789"])
        case 1, 2, 3:
            return space
                + random.pick(["\"\"", "\"a\"", "\"a long text, [with] {marks}: and more\"", #""\"\\,\u005b""#])
        case 4:
            return "[" + (0..<random.below(5)).map { _ in text(&random, depth: depth + 1) }.joined(separator: ",") + "]"
        default:
            let members = (0..<random.below(5))
                .map { "\"k\($0)\"\(random.pick(spaces)):" + text(&random, depth: depth + 1) }
            return "{" + members.joined(separator: random.pick([",", " , "])) + random.pick(spaces) + "}"
        }
    }

    private static func count(_ value: JSONValue) -> Int {
        if let elements = value.elements { return elements.reduce(1) { $0 + count($1) } }
        if let members = value.members { return members.reduce(1) { $0 + count($1.value) } }
        return 1
    }
}
