import Engine
import Testing

@testable import Upstream

/// Refusals of what a request consists of, which is never left out, and of the hints in it, which are.
@Suite struct RefusedContentTests {
    private static let chat = #"""
        {"model":"m","messages":[{"role":"user","content":[
        {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
        {"type":"image_url","image_url":{"url":"https://a/b","detail":"low"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"JVBE","file_id":"f"},"cache_control":{"ttl":"1h"}}],"mood":"odd"},
        {"role":"assistant","content":null,"reasoning_content":"r","audio":{"id":"a"},"refusal":"No.",
        "function_call":{"name":"f","arguments":"{}"},"tool_calls":[{"id":"c","type":"function","index":0,
        "function":{"name":"f","arguments":"{}","parsed_arguments":{}}}]}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"tag":"x"}},
        {"type":"mcp","server_url":"https://a","require_approval":"always","defer_loading":true}]}
        """#
    private static let responses = #"""
        {"model":"m","input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"JVBE",
        "file_url":"https://a/b","detail":"high"}]},{"type":"function_call_output","call_id":"c","output":"o","id":"i",
        "status":"completed"}],"text":{"verbosity":"low","format":{"type":"json_schema","name":"answer","strict":true,
        "schema":{"type":"object","properties":{}}}},"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":true}]}
        """#
    private static let messages = #"""
        {"model":"m","system":[{"type":"text","text":"s","cache_control":{"ttl":"1h"}}],"messages":[{"role":"assistant","content":[
        {"type":"tool_use","id":"t","name":"f","input":{"title":"x"},"caller":{"type":"direct"}}]},{"role":"user","content":[
        {"type":"document","title":"t","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},
        "context":"c"}]}],"tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}]}
        """#
    private static let gemini = #"""
        {"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"},"mediaResolution":{}},
        {"functionCall":{"name":"f","args":{"mediaResolution":1}}},{"functionResponse":{"name":"f","response":{}}},
        {"fileData":{"fileUri":"gs://a","mimeType":"image/png"}}]}],"tools":[{"functionDeclarations":[{"name":"f",
        "parametersJsonSchema":{"type":"object","minProperties":1}}]}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}
        """#

    private static func unknown(_ path: String) -> String { "Unknown parameter: '\(path)'." }

    @Test(
        "content, tools and schemas are never left out, unlike hints",
        arguments: [
            ("messages[0].content[0].input_audio", ""), ("messages[0].content[0].input_audio.data", ""),
            ("messages[0].content[0].input_audio.format", ""), ("messages[0].content[1].image_url.url", "media URLs"),
            ("messages[0].content[1].image_url.detail", "-messages.content.image_url.detail"),
            ("messages[0].content[2].file.file_data", ""), ("messages[0].content[2].file.file_id", ""),
            ("messages[0].content[2].file.filename", "-messages.content.file.filename"),
            ("messages[0].content[2].cache_control.ttl", "-messages.content.cache_control.ttl"),
            ("messages[0].mood", "-messages.mood"), ("messages[1].reasoning_content", "-messages.reasoning_content"),
            ("messages[1].function_call", ""), ("messages[1].audio", ""), ("messages[1].refusal", ""),
            ("messages[1].tool_calls[0].index", "-messages.tool_calls.index"),
            ("messages[1].tool_calls[0].function.arguments", ""),
            (
                "messages[1].tool_calls[0].function.parsed_arguments",
                "-messages.tool_calls.function.parsed_arguments"
            ),
            ("tools[0].function.tag", "-tools.function.tag"), ("tools[0].function.parameters", ""),
            ("tools[1].require_approval", ""), ("tools[1].defer_loading", "-tools.defer_loading"),
        ]
    )
    func partsOfChats(_ path: String, _ wanted: String) {
        let found = RefusalFormsTests.finding(Self.unknown(path), of: Self.chat)
        #expect(RefusalFormsTests.text(found) == (wanted.isEmpty ? "nothing" : wanted))
    }

    @Test(
        "a refused format of the Responses API is emulated",
        arguments: [
            ("input[0].content[0].file_data", "nothing"), ("input[0].content[0].file_url", "media URLs"),
            ("input[0].content[0].detail", "-input.content.detail"), ("input[1].output", "nothing"),
            ("input[1].status", "-input.status"), ("text.verbosity", "-text.verbosity"),
            ("text.format.schema", "json_schema"), ("text.format.strict", "json_schema"),
            ("text.format", "json_schema"), ("tools[0].strict", "-tools.strict"),
        ]
    )
    func partsOfResponses(_ path: String, _ wanted: String) {
        #expect(RefusalFormsTests.text(RefusalFormsTests.finding(Self.unknown(path), of: Self.responses)) == wanted)
    }

    @Test(
        "a refused schema of the Responses API is emulated",
        arguments: [
            ("In context=('properties', 'n'), 'format' is not permitted.", "json_schema once"),
            (
                "In context=(), 'required' is required to be supplied and to be an array. Missing 'n'.",
                "json_schema once"
            ),
            ("In context=('properties', 'n'), schema must have a 'type' key.", "json_schema once"),
        ]
    )
    func schemas(_ words: String, _ wanted: String) {
        let message = "Invalid schema for response_format 'answer': \(words)"
        #expect(RefusalFormsTests.text(RefusalFormsTests.finding(message, of: Self.responses)) == wanted)
        for said in [
            "This model does not support response format `json_schema`.",
            "'text.format' of type 'json_schema' is not supported with this model.",
        ] {
            #expect(RefusalFormsTests.text(RefusalFormsTests.finding(said, of: Self.responses)) == "json_schema")
        }
        let ofTool = "Invalid schema for function 'f': \(words)"
        let loose = #"tools.strict replace(nil, by: "false") once"#
        #expect(RefusalFormsTests.text(RefusalFormsTests.finding(ofTool, of: Self.responses)) == loose)
    }

    @Test(
        "a schema that a server cannot compile says nothing about other ones",
        arguments: [
            "The provided JSON schema contains features not supported by xgrammar.",
            "Regex uses unsupported feature for structured outputs: lookahead",
            "JSON schema conversion failed:\nUnrecognized schema: {\"not\":{}}",
            "JSON Schema not supported: could not understand the instance `{}`.",
            "Failed to initialize samplers: failed to parse grammar",
            #"Grammar error: Unimplemented keys: ["uniqueItems"]"#, "Invalid grammar specification: bad key",
            "Invalid grammar request with cache hit: key=('json', '{}')",
        ]
    )
    func uncompiled(_ message: String) {
        func finding(_ members: String) -> QuirkFinding? {
            RefusalFormsTests.finding(message, of: RefusalFormsTests.request(members))
        }
        func found(_ members: String) -> String { RefusalFormsTests.text(finding(members)) }
        let format = found(#""response_format":{"type":"json_schema"},"tools":[]"#)
        #expect(format == "json_schema with the same response_format")
        #expect(found(#""tools":[]"#) == "tools with the same tools")
        #expect(found(#""response_format":{"type":"json_object"},"tools":[]"#) == "json_object once")
        #expect(found(#""top_k":1"#) == "nothing")
        let beside = finding(#""tools":[{"type":"function"}]"#)?.beside
        for (tools, isSame) in [(#"[{"type":"function"}]"#, true), ("[]", false)] {
            let request = Body(ByteBuffer(RefusalFormsTests.request(#""top_k":1,"tools":\#(tools)"#)))
            #expect(beside?.isIn(RawJSON(request.bytes)) == isSame)
        }
        for lasting in ["Structured outputs are an unsupported feature of this model", "JSON schema is not supported"] {
            let request = RefusalFormsTests.request(#""response_format":{"type":"json_schema"}"#)
            #expect(RefusalFormsTests.text(RefusalFormsTests.finding(lasting, of: request)) == "json_schema")
        }
    }

    @Test(
        "a message of the assistant at the end that is refused gets one of the user behind it",
        arguments: [
            "This model does not support assistant message prefill. The conversation must end with a user message.",
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        ]
    )
    func prefill(_ message: String) {
        let request = #"{"model":"m","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"I"}]}"#
        let found = RefusalFormsTests.finding(message, of: request)
        #expect(RefusalFormsTests.text(found) == "prefill")
        let marked = request.replacing(#""content":"I""#, with: #""content":"I","prefix":true"#)
        #expect(RefusalFormsTests.finding(message, of: marked) == nil)
        let kept = RequestRewriter.written(Body(ByteBuffer(marked)), with: Set(found?.quirks ?? []))
        #expect(kept.bytes.text == marked)
        #expect(RefusalFormsTests.finding(message, of: RefusalFormsTests.request(#""top_k":1"#)) == nil)
        let changed = RequestRewriter.written(Body(ByteBuffer(request)), with: Set(found?.quirks ?? []))
        let messages = RawJSON(changed.bytes).list("messages")
        #expect(messages.map { $0["content"]?.content?.text } == ["Hi", "I", "Continue."])
    }

    @Test("parallel tool calls that are refused are sent one by one, each with its result")
    func singleCalls() {
        func message(_ role: String, _ members: String) -> String { #"{"role":"\#(role)",\#(members)}"# }
        func request(_ messages: [String]) -> String {
            #"{"model":"m","messages":[\#(messages.joined(separator: ","))]}"#
        }
        let (a, b) = (#"{"id":"a","type":"function"}"#, #"{"id":"b","type":"function"}"#)
        let results = ["b", "x", "a"].map { message("tool", #""tool_call_id":"\#($0)","content":"\#($0)""#) }
        let (before, after) = (message("user", #""content":"Hi""#), message("assistant", #""tool_calls":[\#(a)]"#))
        let calls = message("assistant", #""content":"I","tool_calls":[\#(a),\#(b)]"#)
        let sent = request([before, calls] + results + [after])
        let known = RefusalFormsTests.finding(
            "Jinja Exception: This model only supports single tool-calls at once!",
            of: sent
        )
        #expect(RefusalFormsTests.text(known) == "parallel tool calls")
        let wanted = [
            before, message("assistant", #""content":"I","tool_calls":[\#(a)]"#), results[2],
            message("assistant", #""content":"","tool_calls":[\#(b)]"#), results[0], results[1], after,
        ]
        let written = RequestRewriter.written(Body(ByteBuffer(sent)), with: Set(known?.quirks ?? []))
        #expect(written.bytes.text == request(wanted))
        // The other members of a message stand once, however many calls it has.
        let many = message(
            "assistant",
            #""content":null,"more":"\#(String(repeating: "x", count: 9_000))","tool_calls":[\#(Array(repeating: a, count: 500).joined(separator: ","))]"#
        )
        let long = Body(ByteBuffer(request([many])))
        let split = RequestRewriter.written(long, with: Set(known?.quirks ?? []))
        #expect(RawJSON(split.bytes).list("messages").count == 500 && split.bytes.count < 4 * long.bytes.count)
        // Without parallel calls, the words are about something else.
        let other = RefusalFormsTests.finding(
            "It only supports single tool-calls at once!",
            of: request([before, after])
        )
        #expect(other == nil)
    }

    @Test(
        "a refused value of a hint is left out, or no field is",
        arguments: [
            (
                "messages[0].content[1].image_url.detail", "'low', 'high', and 'auto'",
                #"messages.content.image_url.detail dropUnless(["low", "high", "auto"])"#
            ),
            ("messages[0].content[1].image_url.url", "'low', 'high', and 'auto'", "nothing"),
            ("messages[0].content[0].type", "'text'", "nothing"), ("tools[1].type", "'function'", "nothing"),
        ]
    )
    func valuesOfHints(_ param: String, _ values: String, _ wanted: String) {
        let message = "Invalid value: 'original'. Supported values are: \(values)."
        let json = ByteBuffer(#"{"error":{"message":"\#(message)","param":"\#(param)","code":"invalid_value"}}"#)
        let reader = ErrorResponseReader(JSONParser(), VendorError.openAI, namesFields: true)
        let head = UpstreamHead(status: 400, isEventStream: false, retryAfterSeconds: nil)
        let sent = RefusedRequest(Body(ByteBuffer(Self.chat.replacing("\"low\"", with: "\"original\""))))
        let found = reader.refusal(head, json.bytes, of: sent, known: [])?.findingOfOpenAI
        #expect(RefusalFormsTests.text(found) == wanted)
    }

    @Test(
        "a message of the user behind tool results that is refused gets one of the assistant before it",
        arguments: [
            ("Unexpected role 'user' after role 'tool'", [QuirkName](), "user after tool results"),
            ("Conversation roles must alternate user/assistant", [], "order of roles"),
            ("Conversation roles must alternate user/assistant", [.mergedTurns], "user after tool results"),
            ("Conversation roles must alternate user/assistant", [.mergedTurns, .answeredResults], "nothing"),
            ("Unexpected role 'tool' after role 'system'", [], "nothing"),
        ]
    )
    func answers(_ message: String, _ known: [QuirkName], _ wanted: String) {
        func found(_ request: String) -> String {
            let known = Set(known.map { Quirk.named($0) })
            return RefusalFormsTests.text(
                RefusalFormsTests.finding(message, of: request, known: known) { $0.findingOfOpenAI }
            )
        }
        #expect(found(Self.results(#""Hi""#)) == wanted)
        let others = Self.results(#""Hi""#).replacing(#""user","content":"So?""#, with: #""assistant","content":"So?""#)
        #expect(found(others) == (wanted == "order of roles" ? wanted : "nothing"))
        let changed = RequestRewriter.written(
            Body(ByteBuffer(Self.results(#""Hi""#))),
            with: [.named(.answeredResults), .named(.textResults)]
        )
        let roles = RawJSON(changed.bytes).list("messages").map { $0["role"]?.content?.text ?? "" }
        #expect(roles == ["user", "assistant", "tool", "tool", "assistant", "user", "user"])
    }

    @Test(
        "content of Claude's API is never left out, unlike hints",
        arguments: [
            ("messages.1.content.0.document.context", ""), ("messages.0.content.0.document.source.data", ""),
            ("messages.1.content.0.document.title", "-messages.content.title"),
            ("messages.0.content.0.tool_use.caller", "-messages.content.caller"),
            ("tools.0.custom.strict", "-tools.strict"),
            ("system.0.text.cache_control", "-system.cache_control"),
        ]
    )
    func partsOfMessages(_ path: String, _ wanted: String) {
        let words = "\(path): Extra inputs are not permitted"
        let found = RefusalFormsTests.finding(words, isOfMessages: true, of: Self.messages)
        let text = RefusalFormsTests.text(found)
        #expect(wanted.isEmpty ? ["nothing", "tools.input_schema plain once"].contains(text) : text.hasPrefix(wanted))
    }

    @Test(
        "content of Google's API is never left out, and an older version gets a schema of its own form",
        arguments: [
            ("inlineData", ""), ("mimeType", ""), ("args", ""), ("response", ""), ("fileUri", ""),
            ("mediaResolution", "-contents.parts.mediaResolution"),
            (
                "parametersJsonSchema",
                #"tools.functionDeclarations.parametersJsonSchema plain tools.functionDeclarations.parametersJsonSchema rename("parameters")"#
            ),
        ]
    )
    func partsOfGemini(_ name: String, _ wanted: String) {
        let words =
            #"Invalid JSON payload received. Unknown name "\#(name)" at 'contents[0].parts[0]': Cannot find field."#
        let found = RefusalFormsTests.finding(words, of: Self.gemini) { $0.finding(among: $0.findingsOfGemini) }
        #expect(RefusalFormsTests.text(found) == (wanted.isEmpty ? "nothing" : wanted))
    }

    @Test("a refused mode of Google's tools becomes the usual one") func modes() {
        let words = """
            Invalid value at 'tool_config.function_calling_config.mode' (type.googleapis.com/google.ai.\
            generativelanguage.v1beta.FunctionCallingConfig.Mode), "VALIDATED"
            """
        let found = RefusalFormsTests.finding(words, of: Self.gemini) { $0.finding(among: $0.findingsOfGemini) }
        let wanted = #"toolConfig.functionCallingConfig.mode replace(Optional("VALIDATED"), by: "\"AUTO\"")"#
        #expect(RefusalFormsTests.text(found) == wanted)
    }

    private static func results(_ user: String) -> String {
        #"""
        {"model":"m","messages":[{"role":"user","content":\#(user)},{"role":"assistant","content":"x","tool_calls":[
        {"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"t2","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"t1","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a/b"}},
        {"type":"text","text":"b"}]},
        {"role":"tool","tool_call_id":"t2","content":[{"type":"image_url","image_url":{"url":"data:c"}}]},
        {"role":"user","content":"So?"}]}
        """#
    }

    @Test(
        "refused images of tool results are moved to a message of the user",
        arguments: [
            (
                """
                Invalid 'messages[2]'. Image URLs are only allowed for messages with role 'user', but this message with \
                role 'tool' contains an image URL.
                """, #""Hi""#, "parts of tool results"
            ),
            ("messages[2].content: Input should be a valid string", #""Hi""#, "parts of tool results"),
            ("messages[0].content: Input should be a valid string", #"[{"type":"text","text":"Hi"}]"#, "content parts"),
        ]
    )
    func images(_ words: String, _ user: String, _ wanted: String) {
        let found = RefusalFormsTests.finding(words, of: Self.results(user))
        #expect(RefusalFormsTests.text(found) == wanted)
        let body = Body(ByteBuffer(Self.results(user)))
        let written = RequestRewriter.written(body, with: [.named(.textResults)])
        let changed = withExtendedLifetime(written) { written.bytes.text }
        let tail = #"""
            {"role":"tool","content":"a\nb","tool_call_id":"t1"},\#
            {"role":"tool","content":"[The attachments of this result follow.]","tool_call_id":"t2"},\#
            {"role":"user","content":[{"type":"text","text":"[Attachments of the result of t1:]"},\#
            {"type":"image_url","image_url":{"url":"https://a/b"}},\#
            {"type":"text","text":"[Attachments of the result of t2:]"},{"type":"image_url","image_url":{"url":"data:c"}}]},\#
            {"role":"user","content":"So?"}]}
            """#
        #expect(changed.hasSuffix(tail), "\(changed)")
    }

    @Test(
        "attachments of tool results name the ids that the server gets",
        arguments: [
            #"{"role":"tool","tool_call_id":"t1","content":[{"type":"image_url"}]}"#,
            #"{"role":"tool","tool_call_id":"t1","content":"a"},{"role":"user","content":["#
                + #"{"type":"text","text":"[Attachments of the result of t1:]"},{"type":"image_url"}]}"#,
        ]
    )
    func shortIDs(_ messages: String) {
        let body = Body(ByteBuffer(#"{"messages":[\#(messages)]}"#))
        let changed = RequestRewriter.written(body, with: [.named(.textResults), .named(.shortIDs)])
        let id = RawJSON(changed.bytes).list("messages").first?["tool_call_id"]?.content?.text ?? ""
        #expect(id.utf8.count == 9)
        #expect(changed.bytes.text.contains(#"{"type":"text","text":"[Attachments of the result of \#(id):]"}"#))
    }

    @Test("a refusal in a list of parts is joined as a text is") func refusals() {
        let parts = #"[{"type":"text","text":"a"},{"type":"refusal","refusal":"No."}]"#
        let body = Body(ByteBuffer(#"{"messages":[{"role":"assistant","content":\#(parts)}]}"#))
        let changed = RequestRewriter.written(body, with: [.named(.joinedContent)])
        #expect(changed.bytes.text == #"{"messages":[{"role":"assistant","content":"a\nNo."}]}"#)
    }
}
