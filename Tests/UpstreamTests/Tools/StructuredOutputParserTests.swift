import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct StructuredOutputParserTests {
    private static let schema =
        #"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}"#

    private static func format(_ schema: String?) throws -> FormatProtocol {
        guard let schema else { return .object }
        let text = ByteBuffer(schema)
        let parser = JSONParser()
        let read = try JSONSchema(try parser.parse(text.bytes))
        return .schema(read, text: schema, name: "answer")
    }

    private static func validation(_ pieces: [[UInt8]], _ format: FormatProtocol) -> StructuredOutputParser.Validation {
        var response = StructuredOutputParser(format)
        for piece in pieces { piece.withUnsafeBytes { response.consume($0) } }
        return response.finish()
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        /// The JSON of the text; nil if it does not match.
        let json: String?
        let isOfSchema: Bool
        init(_ text: String, _ json: String?, schema: Bool = false) {
            (self.text, self.json, isOfSchema) = (text, json, schema)
        }
        var testDescription: String { String(text.prefix(60)) }
    }

    static let cases: [Case] = [
        Case(#"{"a":1}"#, #"{"a":1}"#), Case(#"  {"a":1}  "#, #"{"a":1}"#), Case("{}", "{}"),
        Case("{ }", "{ }"), Case("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1\n}"),
        Case("```json\n{\"a\":1}\n```", #"{"a":1}"#), Case("```\n{\"a\":1}\n```\n", #"{"a":1}"#),
        Case("~~~JSON\n{\"a\":1}\n~~~", #"{"a":1}"#), Case("```json\n{\"a\":1}", #"{"a":1}"#),
        Case("Here is the JSON:\n{\"a\":1}\nI hope it helps!", #"{"a":1}"#),
        Case("Here is {the} JSON: {\"a\":1}", #"{"a":1}"#), Case("[see below]: {\"a\":1}", #"{"a":1}"#),
        Case("use { to open it: {\"a\":1}", #"{"a":1}"#), Case("{it's \" odd: {\"a\":1}", #"{"a":1}"#),
        Case("not {\"a\":1,} but {\"a\":1}", #"{"a":1}"#), Case(#"{"a":"}"}"#, #"{"a":"}"}"#),
        Case(#"{"a":"\"}"}"#, #"{"a":"\"}"}"#), Case(#"{"a":"\\"}"#, #"{"a":"\\"}"#),
        Case(#"{"a":[1,{"b":[]}]} and {"c":2}"#, #"{"a":[1,{"b":[]}]}"#),
        Case("{\"a\":\"x\ny\"}", #"{"a":"x\ny"}"#), Case("{\"a\":\"x\ty\"}", #"{"a":"x\ty"}"#),
        Case("{\"a\":\"\u{4e2d}\u{1f310}\u{e4}\"}", "{\"a\":\"\u{4e2d}\u{1f310}\u{e4}\"}"),
        Case("", nil), Case("no", nil), Case("[1]", nil), Case(#"[{"a":1}]"#, nil), Case(#""a""#, nil), Case("1", nil),
        Case(#"{"a":1"#, nil), Case(#"{"a":{"b":1}"#, nil), Case(#"{"a":[{"b":1}"#, nil), Case("{\"a\":1,}", nil),
        Case("{'a':1}", nil), Case("{a:1}", nil), Case("{", nil), Case("```json\n{\"a\":\n```", nil),
        Case(#"{"a":1}"#, #"{"a":1}"#, schema: true), Case(#"{"a":"1"}"#, nil, schema: true),
        Case(#"{"b":1}"#, nil, schema: true), Case(#"{"a":1,"b":2}"#, nil, schema: true),
        Case(#"{"a":"1"} or {"a":2}"#, #"{"a":2}"#, schema: true), Case(#"[{"a":1}]"#, nil, schema: true),
        Case(#"The schema {"type":"object"} gives {"a":3}."#, #"{"a":3}"#, schema: true),
    ]

    @Test("fences and chatter go, the JSON stays, however it is cut", arguments: cases)
    func cuts(_ example: Case) throws {
        let format = try Self.format(example.isOfSchema ? Self.schema : nil)
        for pieces in cuttings(of: Array(example.text.utf8)) {
            switch Self.validation(pieces, format) {
            case .document(let json): #expect(json == example.json)
            case .unfit(let reason): #expect(example.json == nil && !reason.isEmpty, "\(reason)")
            }
        }
    }

    @Test("hostile answers take linear time")
    func linear() {
        for text in Hostile.texts(bytes: 20_000)
            + ["{\"", "[{\"a\":", "{\"a\":1,}", "[1"].map({ Hostile.text($0, bytes: 20_000) })
        {
            let steps = StepCount.of {
                _ = Self.validation([Array(text.utf8)], .object)
            }
            #expect(steps <= Hostile.stepsPerByte * text.utf8.count + 100, "\(text.prefix(40))")
        }
    }

    @Test("the reason is one that a model can use")
    func reasons() throws {
        let format = try Self.format(Self.schema)
        #expect(
            Self.validation([Array(#"{"a":"x","b":1}"#.utf8)], format)
                == .unfit("`a` must be an integer, not a string; `b` is a property that is not allowed")
        )
        #expect(
            Self.validation([Array(#"{"a":{"a":1}"#.utf8)], format) == .unfit("it is not whole: the JSON has no end")
        )
        #expect(format.repair("it is not valid JSON").contains("it is not valid JSON"))
        var prompt = ByteBuffer()
        format.appendInstructions(to: &prompt)
        #expect(prompt.text.contains(Self.schema) && prompt.text.contains("nothing else"))
    }

    @Test(
        "long values wait to be judged elsewhere, and the text after them waits as well",
        arguments: [1_000, 70_000, .max]
    )
    func long(size: Int) throws {
        let filler = String(repeating: "x", count: 300_000)
        let text = #"No {"b":"\#(filler)"} yes {"a":  \#(String(repeating: " ", count: 300_000))1} {"a":2}"#
        let bytes = Array(text.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: min(size, bytes.count)).map { start in
            Array(bytes[start..<min(bytes.count, start + min(size, bytes.count))])
        }
        var response = StructuredOutputParser(try Self.format(Self.schema))
        var judged = 0
        for piece in pieces {
            piece.withUnsafeBytes { response.consume($0) }
            while let value = response.unjudged {
                #expect(value.text.bytes.count > 300_000 && response.heldBytes >= value.text.bytes.count)
                response.settle(value.judged())
                judged += 1
            }
        }
        guard case .document(let found) = response.finish() else {
            Issue.record("nothing fits")
            return
        }
        #expect(found.hasSuffix(" 1}") && found.utf8.count > 300_000 && judged == 2)
        // Without reading the waiting text, the result is the same.
        #expect(Self.validation(pieces, try Self.format(Self.schema)) == .document(found))
    }
}
