import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct OriginalMessageTests {
    private static let line = "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli;"

    private static func digest(of id: String) -> String {
        var out = ByteBuffer("\"")
        out.append(hexDigestOf: id)
        out.append("\"")
        return out.text
    }

    private func written(
        _ body: String,
        _ clientInfo: ProviderSettings.ClientInfo = .all,
        isVertex: Bool = false,
        isAnthropics: Bool = false,
        namesModel: Bool? = nil
    ) -> String {
        let dialect = AnthropicDialect(
            supportsSampling: true,
            isVertex: isVertex,
            isAnthropics: isAnthropics,
            clientInfo: clientInfo,
            errorTable: VendorError.anthropic
        )
        let original = OriginalRequest(Body(ByteBuffer(body)))
        #expect(original.isUnambiguous, "\(body)")
        return OriginalMessage.written(original, model: "m\"1", dialect: dialect, namesModel: namesModel ?? !isVertex)
            .text
    }

    private static func value(_ random: inout Seeded, depth: Int) -> String {
        let space = random.pick(["", " ", "\n  ", "\t"])
        let texts = [
            "null", "-1.50e+07", "12345678901234567890", "true", #""""#, #""model""#, #""\"model\":\"x\"""#,
            #""\u00e9\ud83d\ude00\\\/""#, "\"é, { [ : ] }\"", "[]", "{}",
        ]
        guard depth > 0, random.below(3) > 0 else { return random.pick(texts) }
        let values = (0..<random.below(4)).map { _ in value(&random, depth: depth - 1) }
        if random.below(2) == 0 { return "[\(space)\(values.joined(separator: "\(space),"))\(space)]" }
        let members = values.map { #""\#(random.pick(["model", "user_id", "text", "a\\n"]))"\#(space):\#($0)"# }
        return "{\(members.joined(separator: ",\(space)"))\(space)}"
    }

    @Test("only the model and what tells of the client change in random requests", arguments: 0..<400)
    func random(seed: Int) {
        var random = Seeded(UInt64(seed))
        let clientInfo = random.pick(ProviderSettings.ClientInfo.allCases)
        let isTold = clientInfo == .all
        let id = isTold ? #""u\u0073er""# : Self.digest(of: "user")
        let line = isTold ? Self.line + #"\n"# : ""
        var members: [(sent: String, told: String)] = [
            (#""model" : "claude""#, #""model" : "m\"1""#),
            (#""messages":[{"role":"user"}]"#, #""messages":[{"role":"user"}]"#),
        ]
        if clientInfo != .none {
            let around = Self.value(&random, depth: 2)
            members.append(
                (
                    #""metadata":{"a":\#(around),"user_id": "u\u0073er"}"#,
                    #""metadata":{"a":\#(around),"user_id": \#(id)}"#
                )
            )
        }
        members.append(
            (
                #""system" :[ {"type":"text" , "text":"\#(Self.line)\nSo"}]"#,
                #""system" :[ {"type":"text" , "text":"\#(line)So"}]"#
            )
        )
        for index in 0..<random.below(6) {
            let member = #""new\#(index)":\#(Self.value(&random, depth: 4))"#
            members.append((member, member))
        }
        members.shuffle(using: &random)
        let space = random.pick(["", " ", "\r\n\t"])
        func object(_ members: [String]) -> String {
            "\(space){\(space)\(members.joined(separator: "\(space),"))}\(space)"
        }
        #expect(written(object(members.map(\.sent)), clientInfo) == object(members.map(\.told)))
    }

    @Test(
        "what is left out leaves no comma behind",
        arguments: [
            (#"{"system":[{"text":"LINE"},{"text":"b"}],"model":"a"}"#, #"{"system":[{"text":"b"}],"model":"m\"1"}"#),
            (#"{"system":[{"text":"a"} , {"text":"LINE"}],"model":"a"}"#, #"{"system":[{"text":"a"}],"model":"m\"1"}"#),
            (
                #"{"system":[{"text":"a"},{"text":"LINE"},{"text":"LINE"},{}],"model":"a"}"#,
                #"{"system":[{"text":"a"},{}],"model":"m\"1"}"#
            ),
            (#"{"system":[ {"text":"LINE"},{"text":"LINE"} ],"model":"a"}"#, #"{"system":[  ],"model":"m\"1"}"#),
            (
                #"{"system":[{"te\u0078t":"LINE"},{"text":"a","\u0074ext":"LINE"}],"model":"a"}"#,
                #"{"system":[],"model":"m\"1"}"#
            ),
            (#"{"system":"LINE","model":"a"}"#, #"{"system":"","model":"m\"1"}"#),
            (#"{"system":"\u0078-anthropic-billing-header: \\n\nb","model":"a"}"#, #"{"system":"b","model":"m\"1"}"#),
            (#"{"metadata":{"user_id":"a"},"model":"a"}"#, #"{"metadata":{},"model":"m\"1"}"#),
            (#"{"metadata":{"b":1 , "user_id":5 },"model":"a"}"#, #"{"metadata":{"b":1 },"model":"m\"1"}"#),
            (#"{"metadata":{"user_id":"a","b":1},"model":"a"}"#, #"{"metadata":{"b":1},"model":"m\"1"}"#),
            (#"{"metadata":{"user\u005fid":"a","b":1},"model":"a"}"#, #"{"metadata":{},"model":"m\"1"}"#),
            (#"{"metadata":{"user_id":null},"model":"a"}"#, #"{"metadata":{"user_id":null},"model":"m\"1"}"#),
            (#"{"metadata":"user_id","model":"a"}"#, #"{"metadata":"user_id","model":"m\"1"}"#),
            (#"{"messages":[]}"#, #"{"model":"m\"1","messages":[]}"#), (" {}", #" {"model":"m\"1"}"#),
        ]
    )
    func leftOut(body: String, told: String) {
        let body = body.split(separator: "LINE", omittingEmptySubsequences: false).joined(separator: Self.line)
        #expect(written(body, .none, isAnthropics: true) == told)
    }

    @Test(
        "at Vertex AI the version is in the place of the model",
        arguments: [
            (#"{"a":1, "model": "x" ,"b":2}"#, #"{"a":1, VERSION ,"b":2}"#), (#"{"a":1}"#, #"{VERSION,"a":1}"#),
            (#"{"anthropic_version":"v", "model":"x"}"#, #"{"anthropic_version":"v"}"#),
            (#"{"model":"x" , "anthropic_version":"v"}"#, #"{"anthropic_version":"v"}"#),
            (#"{"model":"x"}"#, "{VERSION}"),
        ]
    )
    func vertex(body: String, told: String) {
        let version = #""anthropic_version":"vertex-2023-10-16""#
        let told = told.split(separator: "VERSION", omittingEmptySubsequences: false).joined(separator: version)
        #expect(written(body, isVertex: true) == told)
        let counted = written(#"{"model":"x","a":1}"#, isVertex: true, namesModel: true)
        #expect(counted == #"{\#(version),"model":"m\"1","a":1}"#)
    }

    @Test("only Anthropic's own servers get the attribution line by default")
    func attribution() throws {
        let body = #"{"model":"a","system":[{"text":"\#(Self.line)"}]}"#
        for (clientInfo, isAnthropics, isSent) in [
            (ProviderSettings.ClientInfo.own, true, true), (.own, false, false), (.all, false, true),
            (.all, true, true),
            (.none, true, false), (.none, false, false),
        ] {
            #expect(written(body, clientInfo, isAnthropics: isAnthropics).contains(Self.line) == isSent)
        }
        for (url, isAnthropics) in [
            ("https://api.anthropic.com/v1/messages", true), ("https://API.Anthropic.com:443/v1/messages", true),
            ("https://api.anthropic.com.example.org/", false), ("https://example.org/api.anthropic.com", false),
            ("http://eu.api.anthropic.com/", false), ("http://127.0.0.1:80/", false),
        ] {
            #expect(
                AnthropicDialect.isAnthropics(try #require(Endpoint(url, EndpointOptions()))) == isAnthropics,
                "\(url)"
            )
        }
    }

    // MARK: Events

    private static let events =
        [
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\n\n",
            "event: ping\ndata: {\"type\": \"ping\"}\n\n", "event: news\ndata: {\"type\":\"news\",\"index\":\"x\"}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"new\"}}\n\n",
            delta("Hel"), delta("lo   "), delta("\\n\\u00e9"), delta("é"), delta("padded", "     "), delta(""),
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"new\"}}\n\n",
            "data: {\"type\":\"message_delta\",\ndata: \"delta\":{\"stop_reason\":\"new\"},\"usage\":{\"output_tokens\":4}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\" }\n\n",
        ]
        .joined()

    private static func delta(_ text: String, _ space: String = "") -> String {
        "event: content_block_delta\n"
            + #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\#(text)"}\#(space)}"#
            + "\n\n"
    }

    @Test("events go on as they came, wherever their bytes are cut")
    func cutAnywhere() async throws {
        for pieces in cuttings(of: Array(Self.events.utf8)) {
            let reader = AnthropicReader(JSONParser(), RandomBytes(), names: VendorNameMap(), isLegacy: false)
            reader.isNative = true
            let stream = WireStream(ScriptedStream(pieces, isEventStream: true), reader)
            var passed = ByteBuffer()
            var said = ""
            while try await stream.more(patienceNanoseconds: .max / 2) != .end {
                while try stream.next({
                    if case .native(.messages, let event) = $1 { passed.append(event) }
                    if case .text(let text, _) = $1 { said += text.text }
                }) {}
            }
            #expect(passed.text == Self.events, "\(pieces[0].count)")
            #expect(said == "Hello   \né" + "épadded" && stream.usage?.completionTokens == 4)
        }
    }

    // MARK: Errors

    @Test(
        "the names of fields, betas and models stay readable in errors; those of accounts do not",
        arguments: [
            ("tools.0.custom.input_schema.type: Field required", true),
            ("context_management.edits.0.clear_thinking_20251015.keep: Extra inputs", true),
            ("messages.1234.content.12.tool_use.id: wrong", true), ("model: claude-sonnet-4-5-20250929", true),
            ("Unexpected value(s) `interleaved-thinking-2025-05-14`, `context-1m-2025-08-07` for the header", true),
            ("Unexpected value(s) `interleaved-thinking-2025-05-14` for the header", true),
            ("my-company-production-gemini-123456 is unknown", false),
            ("AKIAIOSFODNN7EXAMPLE1234567 is unknown", false),
            ("host db-12.internal.example.company.com is unknown", false),
            ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", false),
        ]
    )
    func readable(said: String, isShown: Bool) {
        #expect((UpstreamError.words(of: said) == said) == isShown)
    }
}
