import Engine
import Testing

@testable import Upstream

@Suite struct OpenSchemaTests {
    /// Returns the schema as Gemini gets it; nil if it is not JSON.
    private func written(_ schema: String) -> String? {
        var out = ByteBuffer()
        return OpenSchema.append(Body(ByteBuffer(schema)), to: &out) ? out.text : nil
    }

    @Test(
        "schemas as OpenAPI has them",
        arguments: [
            (#"{"type":"object"}"#, ""),
            (#"{"type":"object","properties":{}}"#, ""),
            ("true", ""),
            ("{}", ""),
            (#"{"type":"object","properties":{"a":true}}"#, #"{"type":"OBJECT","properties":{"a":{}}}"#),
            (#"{"properties":{"a":{"type":"integer"}}}"#, #"{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}"#),
            (##"{"$ref":"#"}"##, ""),
            (
                ##"{"$ref":"#/$defs/A","$defs":{"A":{"type":"array","items":{"$ref":"#/$defs/A"}}}}"##,
                #"{"type":"ARRAY","items":{}}"#
            ),
            (#"{"type":"array"}"#, #"{"type":"ARRAY","items":{}}"#),
            (#"{"type":["null"]}"#, #"{"nullable":true}"#),
            (#"{"anyOf":[{"type":"null"}]}"#, #"{"nullable":true}"#),
            (
                #"{"enum":["a",1,null,true]}"#,
                #"{"nullable":true,"description":"One of: \"a\", 1, true"}"#
            ),
            (#"{"enum":[1,2],"description":"d"}"#, #"{"type":"INTEGER","description":"d\nOne of: 1, 2"}"#),
            (#"{"const":true}"#, #"{"type":"BOOLEAN","description":"One of: true"}"#),
            (#"{"enum":[1,2.5]}"#, #"{"type":"NUMBER","description":"One of: 1, 2.5"}"#),
            (
                ##"{"properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a","description":"d"}}}"##,
                #"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"STRING","description":"d"}}}"#
            ),
            (
                ##"{"$ref":"#/$defs/a~1b%20c","$defs":{"a/b c":{"type":"string"}}}"##, #"{"type":"STRING"}"#
            ),
            (
                ##"{"allOf":[{"$ref":"#/$defs/A"}],"description":"d","$defs":{"A":{"enum":["x"],"description":"a"}}}"##,
                #"{"type":"STRING","format":"enum","enum":["x"],"description":"d"}"#
            ),
            (
                ##"{"allOf":[{"$ref":"#/$defs/A"},{"type":"object","properties":{"y":{"type":"integer"}},"##
                    + ##""required":["y","x"]}],"$defs":{"A":{"properties":{"x":{"minimum":1},"y":{"maximum":2}},"##
                    + ##""required":["x"],"description":"d"}}}"##,
                #"{"type":"OBJECT","description":"d","properties":{"x":{"minimum":1},"#
                    + #""y":{"type":"INTEGER","maximum":2}},"required":["x","y"]}"#
            ),
            (
                ##"{"allOf":[{"$ref":"#"},{"type":"string"},{"type":"integer","minLength":1}]}"##,
                #"{"type":"STRING","minLength":1}"#
            ),
            (
                ##"{"type":"object","allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"properties":{"x":{}}}}}"##,
                #"{"type":"OBJECT","properties":{"x":{}}}"#
            ),
            (
                #"{"type":"string","anyOf":[{"format":"date-time"},{"pattern":"x"}]}"#, #"{"type":"STRING"}"#
            ),
            (
                #"{"properties":{"k":{}},"oneOf":[{"properties":{"x":{}}},{"properties":{"k":{},"y":{}}}]}"#,
                #"{"type":"OBJECT","properties":{"k":{},"x":{},"y":{}}}"#
            ),
            (#"{"type":"string","minLength":"x","maxLength":3,"title":5}"#, #"{"type":"STRING","maxLength":3}"#),
            (
                #"{"description":"d","anyOf":[{"type":"string"},{"type":"null"}]}"#,
                #"{"type":"STRING","nullable":true,"description":"d"}"#
            ),
        ]
    )
    func forms(schema: String, open: String) { #expect(written(schema) == open) }

    @Test("what is not JSON is no schema")
    func broken() { #expect(written("{") == nil) }

    @Test(
        "short schemas that say much, or again and again, stay short",
        arguments: [
            #""description":"\#(String(repeating: "x", count: 50_000))""#,
            #""enum":["\#(String(repeating: "x\",\"", count: 10_000))"]"#,
            #""type":"object","required":["a"\#(String(repeating: ",\"a\"", count: 10_000))],"properties":{"a":{}}"#,
            ##""$ref":"#/$defs/\##(String(repeating: "x", count: 50_000))""##,
            #""type":"object","properties":{\#((0..<2_000).map { "\"p\($0)\":{}" }.joined(separator: ","))}"#,
        ],
        [false, true]
    )
    func bounds(large: String, inAllOf isMerged: Bool) throws {
        let names = (0..<12).map { "N\($0)" }
        let definitions = zip(names, names.dropFirst()).map { name, next in
            let reference = ##"{"$ref":"#/$defs/\##(next)"}"##
            let both = isMerged ? #"{"allOf":[\#(reference),{"title":"t"}]}"# : reference
            return #""\#(name)":{"type":"object","properties":{"a":\#(both),"b":\#(both),"c":\#(both)}}"#
        }
        let schema = ##"{"$ref":"#/$defs/N0","$defs":{\##(definitions.joined(separator: ",")),"N11":{\##(large)}}}"##
        let open = try #require(written(schema))
        #expect(open.utf8.count < 3 * schema.utf8.count + 1_000_000)
        #expect(JSONParser.reads(open))
    }

    /// Returns a schema whose definitions nest this many levels, and at the last one refer to the next definition.
    private func chained(_ definitions: Int, levels: Int, _ opening: String, _ closing: String) -> String {
        let named = (0..<definitions).map { number in
            let last = ##"{"allOf":[{"$ref":"#/$defs/\##(number + 1)"},{}]}"##
            let (start, end) = (String(repeating: opening, count: levels), String(repeating: closing, count: levels))
            return "\"\(number)\":\(start)\(last)\(end)"
        }
        return ##"{"allOf":[{"$ref":"#/$defs/0"},{}],"$defs":{\##(named.joined(separator: ","))}}"##
    }

    private func expectBounded(_ schema: String) {
        let schema = Body(ByteBuffer(schema))
        let merged = AllOfMerger.merged(schema)
        #expect(merged.bytes.count < 2 * schema.bytes.count + 300_000)
        #expect((try? JSONParser().parse(merged.bytes)) != nil)
    }

    @Test("schemas that refer to each other do not become deep")
    func deep() {
        expectBounded(chained(20, levels: 400, #"{"allOf":["#, "]}"))
        expectBounded(chained(15, levels: 1_000, #"{"not":"#, "}"))
    }

    @Test("a schema with references to each of its levels does not become large")
    func everyLevel() {
        let text = String(repeating: "x", count: 200_000)
        let nested = (0..<300).reduce(#"{"description":"\#(text)"}"#) { #"{"p\#($1)":\#($0)}"# }
        let references = (0..<300).map { level in
            ##"{"$ref":"#/$defs/N\##((level..<300).reversed().map { "/p\($0)" }.joined())"}"##
        }
        expectBounded(##"{"allOf":[\##(references.joined(separator: ","))],"$defs":{"N":\##(nested)}}"##)
    }

    @Test(
        "long names are not read again and again",
        arguments: [#"{"NAME":1}"#, #"{"properties":{"NAME":{}}}"#, #"{"required":["NAME"]}"#]
    )
    func longNames(definition: String) {
        let definition = definition.replacing("NAME", with: String(repeating: "x", count: 50_000))
        let references = String(repeating: ##"{"$ref":"#/$defs/N"},"##, count: 100)
        let schema = ##"{"allOf":[\##(references){"title":"t"}],"$defs":{"N":\##(definition)}}"##
        let isWhole = AllOfMerger.merged(Body(ByteBuffer(schema))).text.contains("title")
        #expect(!isWhole)
    }
}

extension JSONParser {
    fileprivate static func reads(_ text: String) -> Bool {
        let buffer = ByteBuffer(text)
        return (try? JSONParser().parse(buffer.bytes)) != nil
    }
}
