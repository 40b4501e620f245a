import Engine
import Shared
import Testing

@testable import Upstream

/// Schemas of strict tools and formats from an API that asks less of them than OpenAI's.
@Suite struct StrictSchemaTests {
    private static let full =
        #"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#

    @Test(
        "the rules of OpenAI's strict mode",
        arguments: [
            (full, true), (#"{"type":"object","properties":{},"additionalProperties":false}"#, true),
            (full.replacing(#""required":["a"],"#, with: ""), false),
            (full.replacing(#","additionalProperties":false"#, with: ""), false),
            (full.replacing(#""type":"string""#, with: #""description":"d""#), false),
            (full.replacing(#""type":"string""#, with: #""type":["string","null"]"#), true),
            (full.replacing(#""type":"string""#, with: #""oneOf":[]"#), false),
            (full.replacing(#"{"type":"string"}"#, with: #"{"anyOf":[{"type":"object"},{"type":"null"}]}"#), false),
            (full.replacing(#"{"type":"string"}"#, with: #"{"type":"array","items":{"type":"object"}}"#), false),
            (full.replacing(#"{"type":"string"}"#, with: #"{"type":"array"}"#), false),
            (
                full.replacing(#"{"type":"string"}"#, with: ##"{"$ref":"#/$defs/A"}"##),
                true
            ),
            (full.dropLast() + ##","$defs":{"A":{"type":"object"}}}"##, false), ("{}", false), ("true", false),
            (
                String(repeating: #"{"type":"array","items":"#, count: 40) + "{}" + String(repeating: "}", count: 40),
                false
            ),
        ] as [(String, Bool)]
    )
    func rules(schema: String, wanted: Bool) {
        let text = ByteBuffer(schema)
        #expect(StrictSchema.accepts(RawJSON(text.bytes)) == wanted)
    }

    private static func call(_ schema: String) -> ChatCall {
        var call = chatCall(isStreamed: false)
        let body = Body(ByteBuffer(schema))
        var options = ChatOptions()
        options.tools = [ChatOptions.Tool(.function, name: "f", description: nil, schema: body, isStrict: true)]
        options.format = .schema(name: "answer", schema: body, isStrict: true)
        options.findLooseSchemas()
        call.chatOptions = options
        call.needs.formUnion([.tools, .schemas, .demands])
        return call
    }

    @Test(
        "a schema that strict mode refuses is not strict, and the relay checks the arguments",
        arguments: [true, false]
    )
    func writes(isFull: Bool) async {
        let schema = isFull ? Self.full : Self.full.replacing(#""required":["a"],"#, with: "")
        let call = Self.call(schema)
        for body in [
            OpenAILikeRequest(call, model: "m", isOpenAI: true).written(), ResponsesRequest(call, model: "m").written(),
        ] {
            #expect(body.bytes.text.ranges(of: "\"strict\":\(isFull)").count == 2, "\(body.bytes.text)")
        }
        for kind in [VendorKind.openai, .responses] {
            await withScene(kind) { scene in
                let abilities = scene.vendor.abilities(for: call, of: scene.model)
                #expect(abilities.contains(.uncheckedArguments) == !isFull)
            }
        }
    }

    @Test("a function of the Responses API always has the field for its parameters") func parameters() {
        var call = chatCall(isStreamed: false)
        call.chatOptions.tools = [
            ChatOptions.Tool(.function, name: "f", description: nil, schema: nil, isStrict: nil)
        ]
        let written = ResponsesRequest(call, model: "m").written()
        let body = withExtendedLifetime(written) { written.bytes.text }
        #expect(body.contains(#""name":"f","parameters":null,"strict":false"#), "\(body)")
    }
}
