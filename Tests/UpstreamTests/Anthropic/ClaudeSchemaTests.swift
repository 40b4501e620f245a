import Engine
import Glibc
import Shared
import Testing

@testable import Upstream

/// Random schemas: what the original accepts, the converted schema accepts.
@Suite struct ClaudeSchemaTests {
    static let schemas = getenv("SCHEMAS").flatMap { Int(String(cString: $0)) } ?? 400
    static let values = getenv("SCHEMA_VALUES").flatMap { Int(String(cString: $0)) } ?? 40

    static func read(_ text: String) -> JSONSchema? {
        let parser = JSONParser()
        let buffer = ByteBuffer(text)
        guard let value = try? parser.parse(buffer.bytes) else { return nil }
        return try? JSONSchema(value)
    }

    /// Returns whether each schema accepts the value; false for all if a check does not end, as with an endless `$ref`.
    static func verdicts(_ value: String, _ schemas: [JSONSchema]) throws -> [Bool] {
        let parser = JSONParser()
        let buffer = ByteBuffer(value)
        let parsed = try parser.parse(buffer.bytes)
        return withExtendedLifetime(parser) {
            let validations = schemas.map { $0.validation(on: parsed, bytes: value.utf8.count) }
            let areDecided = !validations.contains(where: \.isUndecided)
            return validations.map { areDecided && $0.fits }
        }
    }

    @Test("a schema that is not narrower accepts what the original accepts")
    func strictSchemas() throws {
        var fits: [ClaudeSchemaFit: Int] = [:]
        var accepted = 0
        for seed in 0..<Self.schemas {
            var maker = RandomSchema(UInt64(seed))
            let schema = maker.root()
            let text = schema.text()
            let fit = ClaudeSchemaFit(of: Body(ByteBuffer(text)))
            fits[fit, default: 0] += 1
            guard fit < .narrower else { continue }
            var out = ByteBuffer()
            try #require(ClaudeSchema.append(Body(ByteBuffer(text)), to: &out))
            let original = try #require(Self.read(schema.text(showsHidden: true)), "\(text)")
            let converted = try #require(Self.read(out.text), "\(out.text)")
            for _ in 0..<Self.values {
                let value = maker.value(for: schema)
                let verdicts = try Self.verdicts(value, [original, converted])
                if verdicts[0] { accepted += 1 }
                let isRight = fit == .exact ? verdicts[0] == verdicts[1] : !verdicts[0] || verdicts[1]
                try #require(isRight, "\(seed): \(value) with \(text), sent as \(out.text)")
            }
        }
        #expect(fits.count == 3 && accepted > Self.schemas, "\(fits), \(accepted)")
    }

    @Test("a tool's schema accepts the objects that the original accepts, and has no alternatives at the top")
    func toolSchemas() throws {
        var merged = 0
        var accepted = 0
        for seed in 0..<Self.schemas {
            var maker = RandomSchema(UInt64(seed))
            let schema = maker.root(isObject: seed % 3 != 0)
            let text = schema.text()
            guard let body = ClaudeToolSchema.converted(Body(ByteBuffer(text))) else { continue }
            let sent = RawJSON(body.bytes)
            #expect(sent["type"]?.content == "object", "\(body.text)")
            for name: StaticString in ["anyOf", "oneOf", "allOf", "$ref"] { #expect(sent[name] == nil, "\(body.text)") }
            // What the author may have meant, and what the schema says.
            let meant = try #require(Self.read(schema.text(showsHidden: true)), "\(text)")
            let original = try #require(Self.read(text), "\(text)")
            let converted = try #require(Self.read(body.text), "\(body.text)")
            merged += 1
            for _ in 0..<Self.values {
                let value = maker.value(for: schema)
                guard value.hasPrefix("{") else { continue }
                let verdicts = try Self.verdicts(value, [meant, original, converted])
                let isAccepted = verdicts[0] && verdicts[1]
                if isAccepted { accepted += 1 }
                try #require(!isAccepted || verdicts[2], "\(seed): \(value) with \(text), sent as \(body.text)")
            }
        }
        #expect(merged > Self.schemas / 5 && accepted > Self.schemas, "\(merged), \(accepted)")
    }

    @Test(
        "keywords beside `$ref` count, as in draft 2020-12",
        arguments: [
            // keywords, objects that fit, objects that do not fit
            (
                #""if":{"required":["b"]},"then":{"required":["c"]}"#, [#"{"a":1}"#, #"{"a":1,"b":1,"c":1}"#],
                [#"{"a":1,"b":1}"#]
            ),
            (
                #""properties":{"b":{"type":"string"}},"required":["b"]"#, [#"{"a":1,"b":"x"}"#],
                [#"{"a":1}"#, #"{"a":1,"b":2}"#]
            ),
            (#""minProperties":2"#, [#"{"a":1,"b":1}"#], [#"{"a":1}"#]),
            (#""propertyNames":{"maxLength":1}"#, [#"{"a":1,"b":1}"#], [#"{"a":1,"bb":1}"#]),
            (#""not":{"required":["b"]}"#, [#"{"a":1}"#], [#"{"a":1,"b":1}"#]),
            (#""dependentRequired":{"a":["b"]}"#, [#"{"a":1,"b":1}"#], [#"{"a":1}"#]),
            (#""enum":[{"a":1},{"b":1}]"#, [#"{"a":1}"#], [#"{"b":1}"#, #"{"a":2}"#]),
            (
                #""allOf":[{"required":["b"]}],"anyOf":[{"required":["c"]},{"required":["c","d"]}]"#,
                [#"{"a":1,"b":1,"c":1}"#], [#"{"a":1,"b":1}"#, #"{"a":1,"c":1}"#]
            ),
            ("", [#"{"a":1}"#], ["{}", #"{"a":"x"}"#]),
        ]
    )
    func keywordsBesideReference(keywords: String, good: [String], bad: [String]) throws {
        let target = ##""$ref":"#/$defs/x""##
        let definition = ##""$defs":{"x":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}"##
        let members = [target, keywords, definition].filter { !$0.isEmpty }.joined(separator: ",")
        for text in ["{\(members)}", #"{"type":"object",\#(members)}"#] {
            let original = try #require(Self.read(text))
            let body = try #require(ClaudeToolSchema.converted(Body(ByteBuffer(text))))
            let converted = try #require(Self.read(body.text), "\(body.text)")
            for value in good {
                #expect(try Self.verdicts(value, [original, converted]) == [true, true], "\(body.text)")
            }
            for value in bad {
                #expect(try Self.verdicts(value, [original, converted]) == [false, false], "\(body.text)")
            }
        }
    }

    @Test(
        "references into merged members keep their targets",
        arguments: [
            ##"{"anyOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"$ref":"#/anyOf/0/properties/a"}}}]}"##,
            ##"{"$defs":{"x":{"$ref":"#/allOf/0/properties/a"}},"allOf":[{"properties":{"a":{"type":"integer"}}}],"##
                + ##""properties":{"b":{"items":{},"$ref":"#/$defs/x"}}}"##,
            ##"{"oneOf":[{"required":["b"]}],"properties":{"a":{"properties":{"c":{"type":"integer"}}},"##
                + ##""b":{"$ref":"#/properties/a/properties/c"}}}"##,
        ]
    )
    func pointersIntoMerged(text: String) throws {
        let original = try #require(Self.read(text))
        let body = try #require(ClaudeToolSchema.converted(Body(ByteBuffer(text))))
        let converted = try #require(Self.read(body.text), "\(body.text)")
        #expect(try Self.verdicts(#"{"b":1}"#, [original, converted]) == [true, true], "\(body.text)")
        #expect(try Self.verdicts(#"{"b":"x"}"#, [original, converted]) == [false, false], "\(body.text)")
    }
}
