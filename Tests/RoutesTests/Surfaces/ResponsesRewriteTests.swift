import Engine
import Testing

@testable import Routes
@testable import Shared
@testable import Upstream

/// Tests of what a request of the Responses API keeps when the relay writes it anew for a vendor with this API.
@Suite struct ResponsesRewriteTests {
    private static let function = #"{"type":"function","name":"f","parameters":{"type":"object","properties":{}}}"#
    private static let own = #"{"type":"mcp","server_label":"x"}"#
    private static let search = #"{"type":"web_search"}"#

    @Test(
        "a field that the request has, and only such a one, goes on",
        arguments: [
            (#""truncation":"auto""#, "truncation", #""auto""#),
            (#""truncation":null"#, "truncation", nil),
            (#""input":"hi""#, "truncation", nil),
            (#""max_tool_calls":5"#, "max_tool_calls", "5"),
            (#""max_tool_calls":null"#, "max_tool_calls", nil),
            (#""max_tool_calls":5,"tools":[SEARCH]"#, "max_tool_calls", "5"),
            (#""max_tool_calls":5,"tools":[{"type":"web_search","max_uses":2}]"#, "max_tool_calls", "2"),
            (#""max_tool_calls":5,"tools":[SEARCH,OWN]"#, "max_tool_calls", "5"),
            (#""max_tool_calls":0,"tools":[SEARCH]"#, "max_tool_calls", "0"),
            (#""prompt_cache_retention":"24h""#, "prompt_cache_retention", #""24h""#),
            (#""moderation":{"model":"x"}"#, "moderation", nil),
            (#""top_p":1"#, "include", #"["reasoning.encrypted_content"]"#),
            (
                #""include":["a.b","reasoning.encrypted_content","c"]"#, "include",
                #"["reasoning.encrypted_content","a.b","c"]"#
            ),
            (#""reasoning":{"summary":"auto"}"#, "reasoning", #"{"summary":"auto"}"#),
            (#""reasoning":{"generate_summary":"concise"}"#, "reasoning", #"{"summary":"concise"}"#),
            (
                #""reasoning":{"effort":"low","summary":"detailed"}"#, "reasoning",
                #"{"effort":"low","summary":"detailed"}"#
            ),
            (#""reasoning":{"effort":"low"}"#, "reasoning", #"{"effort":"low","summary":"auto"}"#),
            (#""reasoning":{"effort":"none"}"#, "reasoning", #"{"effort":"none"}"#),
            (#""tools":[OWN]"#, "parallel_tool_calls", nil),
            (#""tools":[OWN],"parallel_tool_calls":true"#, "parallel_tool_calls", "true"),
            (#""tools":[SEARCH],"parallel_tool_calls":false"#, "parallel_tool_calls", "false"),
            (
                #""tools":[FUNCTION,OWN],"parallel_tool_calls":false,"tool_choice":{"type":"mcp","server_label":"x"}"#,
                "parallel_tool_calls", "false"
            ),
        ] as [(String, String, String?)]
    )
    func fields(given: String, name: String, expected: String?) throws {
        let fields = given.replacing("SEARCH", with: Self.search).replacing("OWN", with: Self.own)
            .replacing("FUNCTION", with: Self.function)
        let parser = JSONParser()
        let body = ByteBuffer(#"{"model":"m","input":"hi",\#(fields)}"#)
        let draft = try ResponseDraft(try parser.parse(body.bytes), defaultModel: nil, for: .response)
        let request = ResponsesRequest(draft.call, model: "m").written()
        let members = RawJSON(request.bytes).members.filter { $0.isNamed(name) }
        #expect(members.map(\.value.bytes.text) == (expected.map { [$0] } ?? []), "\(request.bytes.text)")
        #expect(draft.call.chatOptions.ignored.map { "\($0)" } == (name == "moderation" ? ["moderation"] : []))
        withExtendedLifetime(parser) {}
    }

    @Test(
        "a tool is as strict as the request says",
        arguments: [("", nil), (#","strict":null"#, nil), (#","strict":false"#, "false"), (#","strict":true"#, "true")]
            as [(String, String?)]
    )
    func strictness(member: String, expected: String?) throws {
        let parser = JSONParser()
        let tool = #"{"type":"function","name":"f","parameters":{}\#(member)}"#
        let body = ByteBuffer(#"{"model":"m","input":"hi","tools":[\#(tool)]}"#)
        let draft = try ResponseDraft(try parser.parse(body.bytes), defaultModel: nil, for: .response)
        let request = ResponsesRequest(draft.call, model: "m").written()
        let sent = RawJSON(request.bytes)["tools"]?.elements.first { _ in true }?["strict"]
        #expect(sent?.bytes.text == expected)
        #expect(draft.echo.bytes.text.contains(#""strict":\#(expected ?? "null")}"#))
        withExtendedLifetime(parser) {}
    }

    @Test(
        "calls of a stored response go on as they came if the request has tools of the vendor's own",
        arguments: [
            #"{"type":"shell_call","id":"sh_1","call_id":"c","action":{"commands":["ls"]}}"#,
            #"{"type":"local_shell_call","id":"lsh_1","call_id":"c","action":{"type":"exec","command":["ls"]}}"#,
            #"{"type":"apply_patch_call","id":"apc_1","call_id":"c","operation":{"type":"delete_file","path":"a"}}"#,
            #"{"type":"mcp_call","id":"mcp_1","server_label":"x","name":"t","arguments":"{}","output":"42"}"#,
        ]
    )
    func history(item: String) throws {
        let stored = StoredResponse(
            object: Body(ByteBuffer(#"{"model":"m","output":[\#(item)]}"#)),
            input: Body(ByteBuffer("[]"))
        )
        for continuesOwn in [true, false] {
            let history = try #require(StoredHistory(stored, continuesOwn: continuesOwn))
            let items = history.list.items.map { item -> String? in
                switch item.kind {
                case .reasoningBlock(let block): block.item?.bytes.text
                case .call(let call): call.name
                default: nil
                }
            }
            #expect((items == [item]) == continuesOwn && items.first != .some(nil), "\(items)")
        }
    }

    @Test("tools of the vendor's own that stored items add do not make the response unreadable")
    func addedTools() throws {
        let input = #"[{"type":"additional_tools","id":"item_1","role":"developer","tools":[\#(Self.own)]}]"#
        let stored = StoredResponse(
            object: Body(ByteBuffer(#"{"model":"m","output":[]}"#)),
            input: Body(ByteBuffer(input))
        )
        let history = try #require(StoredHistory(stored, continuesOwn: false))
        #expect(history.tools.own.tools.map(\.json.bytes.text) == [Self.own])
    }

    @Test(
        "reasoning of the relay without its signature is looked for in stored responses",
        arguments: [
            (#""id":"RELAYS","summary":[]"#, true),
            (#""id":"RELAYS","summary":[{"type":"summary_text","text":"so"}]"#, true),
            (#""id":"RELAYS","summary":[],"encrypted_content":"s""#, false), (#""id":"rs_1-a","summary":[]"#, false),
            (#""summary":[]"#, false),
        ]
    )
    func signatures(members: String, isLookedFor: Bool) throws {
        let item = #"{"type":"reasoning",\#(members.replacing("RELAYS", with: "rs_abcdefghijklmnopqrstuvwx0"))}"#
        let parser = JSONParser()
        for isStored in [true, false] {
            let body = ByteBuffer(
                #"{"model":"m","store":\#(isStored),"input":[{"role":"user","content":"hi"},\#(item)]}"#
            )
            let draft = try ResponseDraft(try parser.parse(body.bytes), defaultModel: nil, for: .response)
            #expect(draft.hasReferences == (isLookedFor && isStored))
        }
        withExtendedLifetime(parser) {}
    }
}
