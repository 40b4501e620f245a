import Engine
import Support
import Testing

@testable import Shared

@Suite struct JSONSchemaTests {
    private static func read(_ schema: String) throws -> JSONSchema {
        let text = ByteBuffer(schema)
        let parser = JSONParser()
        return try JSONSchema(try parser.parse(text.bytes))
    }

    private static func validation(_ schema: String, _ document: String) throws -> SchemaValidation {
        let text = ByteBuffer(document)
        let parser = JSONParser()
        return try read(schema).validation(on: try parser.parse(text.bytes), bytes: text.count)
    }

    @Test(
        "a problem tells its place and its reason in words",
        arguments: [
            (#"{"type":"object"}"#, "[]", "the document must be an object, not an array"),
            (#"{"type":["string","null"]}"#, "1.5", "the document must be null or a string, not the number 1.5"),
            (#"{"required":["a","b"]}"#, #"{"a":1}"#, "the document lacks the required property `b`"),
            (#"{"additionalProperties":false}"#, #"{"a b":1}"#, #"`["a b"]` is a property that is not allowed"#),
            (
                #"{"properties":{"items":{"items":{"properties":{"name":{"type":"string"}}}}}}"#,
                #"{"items":[{"name":"a"},{"name":2}]}"#, "`items[1].name` must be a string, not the number 2"
            ),
            (#"{"enum":["a",1,null]}"#, #""b""#, #"the document must be one of "a", 1, null"#),
            (#"{"const":{"b":1.0,"a":2}}"#, "1", #"the document must be {"a":2,"b":1}"#),
            (
                #"{"minimum":3,"multipleOf":0.5}"#, "2.2",
                "the document must be at least 3; the document must be a multiple of 0.5"
            ),
            (#"{"pattern":"^a+$"}"#, #""b""#, "the document must match the pattern ^a+$"),
            (#"{"format":"date"}"#, #""2024-02-30""#, "the document must be a date as 2024-01-31"),
            (#"{"const":18446744073709551615}"#, "18446744073709551614", "the document must be 18446744073709551615"),
            (#"{"uniqueItems":true}"#, "[1,1.0]", "`[1]` repeats an earlier item, but items must differ"),
            (
                #"{"uniqueItems":true}"#, "[9223372036854775808,9223372036854775809,9223372036854775808.0]",
                "`[2]` repeats an earlier item, but items must differ"
            ),
            (
                #"{"anyOf":[{"type":"string"},{"type":"null"}]}"#, "1",
                "the document fits none of the 2 alternatives: must be a string, not the number 1; or must be null, not the number 1"
            ),
            (
                #"{"anyOf":[{"type":"null"},{"properties":{"kind":{"const":"x"},"a":{"type":"null"}}}]}"#,
                #"{"kind":"x","a":1}"#, "`a` must be null, not the number 1"
            ),
            (
                #"{"oneOf":[true,{"type":"integer"}]}"#, "1",
                "the document fits more than one of the 2 alternatives, of which exactly one must fit"
            ),
        ]
    )
    func words(schema: String, document: String, words: String) throws {
        #expect(try Self.validation(schema, document).text == words)
    }

    @Test(
        "a schema that cannot be used is refused",
        arguments: [
            "1", "[]", #"{"type":"text"}"#, #"{"type":[]}"#, #"{"properties":[]}"#, #"{"properties":{"a":1}}"#,
            #"{"required":"a"}"#, #"{"required":[1]}"#, #"{"minLength":-1}"#, #"{"minLength":1.5}"#,
            #"{"multipleOf":0}"#,
            ##"{"$ref":"#/$defs/a"}"##, ##"{"$ref":"#a"}"##, #"{"$ref":"https://example.com/a"}"#, #"{"$ref":1}"#,
            ##"{"$dynamicRef":"#a"}"##, #"{"enum":1}"#, #"{"anyOf":{}}"#, #"{"pattern":1}"#, #"{"items":[true]}"#,
            String(repeating: #"{"not":"#, count: 200) + "true" + String(repeating: "}", count: 200),
        ]
    )
    func refused(schema: String) {
        #expect(throws: SchemaError.self) { try Self.read(schema) }
    }

    @Test("what is not checked is noted")
    func remarks() throws {
        let schema = try Self.read(
            #"{"pattern":"(?=a)b","patternProperties":{"(a)\\1":true},"additionalProperties":false}"#
        )
        #expect(schema.remarks.count == 2)
        #expect(
            try Self.validation(#"{"patternProperties":{"(a)\\1":true},"additionalProperties":false}"#, #"{"x":1}"#)
                .fits
        )
    }

    @Test(
        "endless and hostile schemas end, undecided",
        arguments: [
            (##"{"$ref":"#"}"##, "1"),
            (##"{"allOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1"),
            (
                ##"{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"}]},"b":{"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##,
                "1"
            ),
            (##"{"not":{"$ref":"#"}}"##, "1"),
        ]
    )
    func endless(schema: String, document: String) throws {
        let validation = try Self.validation(schema, document)
        #expect(validation.isUndecided && !validation.fits)
    }

    @Test("work is bounded by the document's length")
    func work() throws {
        // Each level tries both alternatives below, which are 2^30 without a bound.
        let tree =
            ##"{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["x"]},{"properties":{"a":{"$ref":"#"}},"required":["y"]}]}"##
        let deep = String(repeating: #"{"a":"#, count: 30) + "{}" + String(repeating: "}", count: 30)
        let steps = StepCount.of { #expect((try? Self.validation(tree, deep).isUndecided) == true) }
        #expect(steps < 2 * (JSONSchema.fewSteps + JSONSchema.stepsPerByte * deep.utf8.count))
    }

    @Test("counts of nothing, nested, make no more steps than one", arguments: ["()", "(a{0})", "(()())"])
    func countsOfNothing(part: String) throws {
        let pattern = (0..<10).reduce(part) { pattern, _ in "(\(pattern){1000})" }
        #expect(try #require(withText(pattern) { TextPattern($0) }).width == 1)
    }

    @Test("short texts and large sets count as the work that they are")
    func patternWork() throws {
        let letters = (0..<1_000).map { String(UnicodeScalar(0x100 + 2 * UInt32($0)).map(Character.init) ?? "a") }
            .joined()
        let schema = #"{"items":{"pattern":"^[\#(letters)a]{0,490}Z"}}"#
        let texts = "[" + Array(repeating: #""aaaaaaa""#, count: 5_000).joined(separator: ",") + "]"
        #expect(try Self.validation(schema, texts).isUndecided)
    }

    @Test("a tree of its own kind is judged")
    func tree() throws {
        let schema =
            ##"{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"v":{"type":"integer"}},"required":["v"]}"##
        #expect(try Self.validation(schema, #"{"v":1,"next":{"v":2,"next":null}}"#).fits)
        #expect(
            try Self.validation(schema, #"{"v":1,"next":{"v":2,"next":{"v":"3"}}}"#).text
                == "`next.next.v` must be an integer, not a string"
        )
    }

    @Test("large documents and schemas take linear time")
    func linear() throws {
        let names = (0..<3_000).map { "p\($0)" }
        let wide =
            "{\"properties\":{" + names.map { "\"\($0)\":{\"$ref\":\"#/$defs/\($0)\"}" }.joined(separator: ",")
            + "},\"$defs\":{"
            + names.map { "\"\($0)\":{\"type\":\"integer\"}" }.joined(separator: ",") + "}}"
        let document = "{" + names.map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        let steps = StepCount.of { #expect((try? Self.validation(wide, document).fits) == true) }
        #expect(steps < 80 * names.count)
        for item in ["1", #""a""#, "{}"] {
            let items = "[" + Array(repeating: item, count: 20_000).joined(separator: ",") + "]"
            let steps = StepCount.of {
                _ = try? Self.validation(#"{"uniqueItems":true,"items":{"enum":[1,"a",{}]}}"#, items)
            }
            #expect(steps < 60 * items.utf8.count)
        }
    }

    @Test(
        "patterns that are slow elsewhere are linear here",
        arguments: ["^(a+)+$", "(a|a)*b", "(a*)*c", "^(a?){50}a{50}$", "(.*a){10}"]
    )
    func patterns(pattern: String) throws {
        let text = String(repeating: "a", count: 30)
        let regex = try #require(withText(pattern) { TextPattern($0) })
        _ = withText(text + "!") { regex.matches($0) }
        #expect(regex.width <= TextPattern.maxSteps)
    }

    @Test(
        "a pattern matches as ECMA 262 says",
        arguments: [
            ("a|b", "xb", true), ("^a|b$", "cb", true), ("^(a|b)$", "ab", false), ("^[a-c]{2,3}$", "abc", true),
            ("^[a-c]{2,3}$", "abca", false), ("^\\d+\\.\\d*$", "12.", true), ("^[^\\W_]+$", "a_b", false),
            ("\\bfoo\\b", "a foo b", true), ("\\bfoo\\b", "afoo", false), ("^.$", "\u{1f310}", true),
            ("^.$", "\n", false),
            ("^\\u{1F310}$", "\u{1f310}", true), ("^\\ud83c\\udf10$", "\u{1f310}", true),
            ("^\\p{L}+$", "\u{4e2d}a", true),
            ("^\\P{L}+$", "12", true), ("^(?:ab)+?$", "abab", true), ("^(?<n>a)$", "a", true), ("^a{0}$", "", true),
            ("", "x", true), ("^$", "", true), ("[]", "a", false), ("[^]", "a", true), ("^\\x41\\t$", "A\t", true),
            ("a{2}", "aba", false), ("^[\\w.-]+@[\\w.-]+$", "a.b@c-d", true), ("^\\/$", "/", true),
            ("^[a\\-z]$", "-", true),
        ]
    )
    func pattern(pattern: String, text: String, isMatch: Bool) throws {
        let regex = try #require(withText(pattern) { TextPattern($0) })
        #expect(withText(text) { regex.matches($0) } == isMatch)
    }

    @Test(
        "what is beyond the subset is known",
        arguments: [
            "(?=a)", "(?!a)", "(?<=a)", "(?<=a>)b", "(?<!a>)b", "(?<!a)", "(a)\\1", "a**", "(a", "a)", "[a", "a{2,1}",
            "a{99999}", "\\p{Nope}",
            "\\", "*a",
            "(a{100}){100}", "[b-a]", "\\u{110000000}",
        ]
    )
    func beyond(pattern: String) {
        #expect(withText(pattern) { TextPattern($0) } == nil)
    }

    @Test("random schemas and documents crash nothing", arguments: 0..<8 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var random = Seeded(seed)
        let words = [
            "type", "string", "object", "properties", "a", "b", "items", "anyOf", "$ref", "#", "#/properties/a", "not",
            "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "required", "enum", "pattern", "if",
            "then",
            "contains", "prefixItems", "dependentSchemas", "propertyNames", "uniqueItems", "minLength", "$id",
            "$anchor",
        ]
        func value(_ depth: Int) -> String {
            switch random.below(depth > 5 ? 4 : 7) {
            case 0: "\"\(random.pick(words))\""
            case 1: "\(random.below(5))"
            case 2: random.below(2) == 0 ? "true" : "false"
            case 3: "{}"
            case 4: "[" + (0..<random.below(4)).map { _ in value(depth + 1) }.joined(separator: ",") + "]"
            default:
                "{"
                    + (0..<random.below(5)).map { _ in "\"\(random.pick(words))\":\(value(depth + 1))" }.joined(
                        separator: ","
                    ) + "}"
            }
        }
        for _ in 0..<500 {
            let (schema, document) = (value(0), value(0))
            guard let validation = try? Self.validation(schema, document) else { continue }
            #expect(
                validation.fits == (validation.problems.isEmpty && !validation.isUndecided),
                "\(schema) \(document)"
            )
        }
    }
}

private func withText<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let buffer = ByteBuffer(text)
    return body(buffer.bytes)
}
