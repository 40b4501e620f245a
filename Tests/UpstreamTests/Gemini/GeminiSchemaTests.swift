import Engine
import Shared
import Testing

@testable import Upstream

/// Random schemas: what the original accepts, the schema for Google accepts.
@Suite struct GeminiSchemaTests {
    @Test("a schema for the Gemini API accepts what the original accepts")
    func jsonSchemas() throws {
        try check { (text, out) in GeminiSchema.append(text, to: &out) }
    }

    @Test("a schema for Vertex AI accepts what the original accepts")
    func openSchemas() throws {
        try check { (text, out) in
            var open = ByteBuffer()
            guard OpenSchema.append(text, to: &open) else { return false }
            if open.isEmpty { open.append("{}") }
            Self.appendReadable(RawJSON(open.bytes), to: &out)
            return true
        }
    }

    @Test("a plain schema accepts what the original accepts")
    func plainSchemas() throws {
        try check { (text, out) in
            PlainSchema.append(RawJSON(text.bytes), to: &out)
            return true
        }
    }

    @Test(
        "types, values beside null, and several schemas in one",
        arguments: [
            // schema, what Google gets
            (
                #"{"type":["null","null"],"enum":[2.5,null,2.5]}"#,
                #"{"type":["null","null"],"description":"One of: 2.5, null, 2.5"}"#
            ),
            (#"{"type":["null"],"enum":["a",null]}"#, #"{"type":["null"],"description":"One of: \"a\", null"}"#),
            (#"{"type":"null","enum":[1,null]}"#, #"{"type":"null","description":"One of: 1, null"}"#),
            (#"{"type":[],"enum":[1,null]}"#, #"{"type":[],"description":"One of: 1, null"}"#),
            (
                #"{"type":["number","null","number"],"enum":[1,1,null]}"#,
                #"{"anyOf":[{"type":"number","enum":[1,1]},{"type":"null"}]}"#
            ),
            (
                #"{"type":["string",null],"enum":["a",null]}"#,
                #"{"anyOf":[{"type":"string","enum":["a"]},{"type":"null"}]}"#
            ),
            (#"{"enum":["a","null"]}"#, #"{"enum":["a","null"]}"#),
            (#"{"enum":["a",1],"description":5}"#, #"{"description":"One of: \"a\", 1"}"#),
            (#"{"items":{"type":["null","null"]}}"#, #"{"items":{"type":["null","null"]}}"#),
            (
                ##"{"$defs":{"A":{"required":["x"],"properties":{"x":{"$ref":"#/$defs/A"}}}},"##
                    + ##""items":{"description":"d","allOf":[{"$ref":"#/$defs/A"},{"properties":{"y":{}},"description":"e"}]}}"##,
                ##"{"$defs":{"A":{"required":["x"],"properties":{"x":{"$ref":"#/$defs/A"}}}},"##
                    + ##""items":{"description":"d","required":["x"],"properties":{"x":{"$ref":"#/$defs/A"},"y":{}}}}"##
            ),
            (
                #"{"items":{"type":["object","null","object"]}}"#,
                #"{"items":{"anyOf":[{"type":"object"},{"type":"null"}]}}"#
            ),
        ]
    )
    func nullTypes(schema: String, sent: String) throws {
        var out = ByteBuffer()
        try #require(GeminiSchema.append(Body(ByteBuffer(schema)), to: &out))
        #expect(out.text == sent)
    }

    private func check(_ write: (Body, inout ByteBuffer) -> Bool) throws {
        var accepted = 0
        for seed in 0..<ClaudeSchemaTests.schemas {
            var maker = RandomSchema(UInt64(seed))
            let schema = maker.root(isObject: seed % 2 == 0)
            let text = schema.text()
            var out = ByteBuffer()
            try #require(write(Body(ByteBuffer(text)), &out), "\(text)")
            let original = try #require(ClaudeSchemaTests.read(schema.text(showsHidden: true)), "\(text)")
            // Google reads `oneOf` as `anyOf`.
            let converted = try #require(ClaudeSchemaTests.read(Self.joined(out.text)), "\(out.text)")
            for _ in 0..<ClaudeSchemaTests.values {
                let value = maker.value(for: schema)
                let verdicts = try ClaudeSchemaTests.verdicts(value, [original, converted])
                if verdicts[0] { accepted += 1 }
                try #require(!verdicts[0] || verdicts[1], "\(seed): \(value) with \(text), sent as \(out.text)")
            }
        }
        #expect(accepted > ClaudeSchemaTests.schemas)
    }

    /// Returns the schema with `anyOf` in place of `oneOf`. The generator's texts contain neither.
    private static func joined(_ schema: String) -> String {
        let parts = schema.split(separator: "\"oneOf\":", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return schema }
        // A schema may have both: then `oneOf` gets a name without a meaning.
        return schema.contains("\"anyOf\":")
            ? parts.joined(separator: "\"ignored\":") : parts.joined(separator: "\"anyOf\":")
    }

    /// Appends an OpenAPI schema as JSON Schema.
    private static func appendReadable(_ schema: RawJSON, to out: inout ByteBuffer) {
        let isNullable = schema["nullable"] != nil
        out.append(isNullable ? #"{"anyOf":[{"type":"null"},{"# : "{")
        var isFirst = true
        // Google needs a type where a schema without one has properties, which means an object.
        let isObject = schema["type"]?.content?.equals("OBJECT") ?? false
        for member in schema.members where !member.name.equals("nullable") && !member.name.equals("description") {
            if isObject, member.name.equals("type") { continue }
            if !isFirst { out.append(",") }
            isFirst = false
            out.append("\"")
            out.append(member.name)
            out.append("\":")
            switch member.name {
            case "type": out.append(member.value.bytes.text.lowercased())
            case "items": appendReadable(member.value, to: &out)
            case "anyOf": member.value.append(to: &out) { appendReadable($0, to: &$1) }
            case "properties":
                out.append("{")
                for (index, property) in member.value.members.enumerated() {
                    out.append(index == 0 ? "\"" : ",\"")
                    out.append(property.name)
                    out.append("\":")
                    appendReadable(property.value, to: &out)
                }
                out.append("}")
            default: out.append(member.value.bytes)
            }
        }
        out.append(isNullable ? "}]}" : "}")
    }
}
