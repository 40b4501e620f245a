import Support
import Testing
import Upstream

@testable import Routes

/// Tests of messages with a vendor's native tools and reasoning, through the router, without sockets.
@Suite struct AnthropicMessagesTests {
    private let asked = #""model":"m","max_tokens":50,"messages":[{"role":"user","content":"hi"}]"#
    private let tool = #","tools":[{"name":"f","input_schema":{"type":"object"}}]"#

    private func response(
        _ fields: String,
        by vendor: LittleVendor = LittleVendor(signs: true)
    ) async -> ReceivedResponse {
        await onLoop { loop in
            await answered("{\(fields)}", by: vendor, through: AnthropicMessages(), on: loop)
        } ?? ReceivedResponse()
    }

    @Test("thoughts, text and calls are blocks of a whole message")
    func whole() async {
        let response = await response(asked + tool)
        let content =
            #""content":[{"type":"thinking","thinking":"thought","signature":"seal"},"#
            + #"{"type":"redacted_thinking","data":"dark"},{"type":"text","text":"said"},"#
            + #"{"type":"tool_use","id":"call-1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","#
            + #""stop_sequence":null,"#
        #expect(response.status == 200 && response.body.contains(content), "\(response)")
        let unsigned = await self.response(asked + tool, by: LittleVendor()).body
        #expect(
            unsigned.contains(#"{"type":"thinking","thinking":"thought","signature":"relay.unsigned"},{"type":"text""#),
            "\(unsigned)"
        )
    }

    @Test("thoughts of earlier turns reach their vendor, in their order")
    func history() async {
        let vendor = LittleVendor()
        let turn =
            #"{"role":"assistant","content":[{"type":"thinking","thinking":"why","signature":"s1"},"#
            + #"{"type":"redacted_thinking","data":"s2"},{"type":"thinking","thinking":""},{"type":"text","text":"so"},"#
            + #"{"type":"thinking","thinking":"more","signature":"relay.unsigned"}]}"#
        let said = asked.dropLast() + "," + turn + #",{"role":"user","content":"go on"}]"#
        let response = await response(String(said), by: vendor)
        #expect(response.status == 200, "\(response)")
        #expect(vendor.heard.count == 3 && reasoningBlocks(vendor.heard) == ["why/s1", "*/s2", "more/-"])
        #expect(vendor.heard.dropFirst().first?.text == "so")
        let wrong = await self.response(said.replacing(#""signature":"s1""#, with: #""signature":1"#))
        #expect(wrong.status == 400 && wrong.body.contains("messages[1].content[0].signature"), "\(wrong)")
    }

    @Test("they are blocks of a stream, one after the other, and a thought keeps its signature")
    func streamed() async {
        let events = await response(asked + tool + #","stream":true"#).body.split(separator: "\n\n").map(String.init)
        let names = events.map { $0.dropFirst("event: ".count).prefix { $0 != "\n" } }
        let block = ["content_block_start", "content_block_delta", "content_block_stop"]
        let reasoningBlock = [block[0], block[1], block[1], block[2]]
        let sealed = [block[0], block[2]]
        #expect(
            names.map(String.init) == ["message_start"] + reasoningBlock + sealed + block + block + [
                "message_delta", "message_stop",
            ]
        )
        for (index, part) in [
            (1, #""index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#),
            (2, #""index":0,"delta":{"type":"thinking_delta","thinking":"thought"}}"#),
            (3, #""index":0,"delta":{"type":"signature_delta","signature":"seal"}}"#),
            (5, #""index":1,"content_block":{"type":"redacted_thinking","data":"dark"}}"#),
            (7, #""index":2,"content_block":{"type":"text","text":""}}"#),
            (10, #""index":3,"content_block":{"type":"tool_use","id":"call-1","name":"f","input":{}}}"#),
            (11, #""index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#),
        ] {
            #expect(events.indices.contains(index) && events[index].hasSuffix(part), "\(events)")
        }
    }

    @Test("a thought without a signature gets the relay's, once", arguments: [false, true])
    func unsigned(signs: Bool) async {
        let body = await response(asked + tool + #","stream":true"#, by: LittleVendor(signs: signs)).body
        let signature = #""index":0,"delta":{"type":"signature_delta","signature":"relay.unsigned"}}"#
        #expect(body.contains(signature) == !signs && body.split(separator: "signature_delta").count == 2)
    }

    @Test("a thought is never the last block of a turn", arguments: [false, true])
    func lateThoughts(signs: Bool) async {
        let vendor = LittleVendor(signs: signs, isLate: true)
        let whole = await response(asked, by: vendor).body
        #expect(whole.contains(#""content":[{"type":"thinking","thinking":"thought""#), "\(whole)")
        #expect(whole.contains(#"{"type":"text","text":"said"}],"stop_reason":"end_turn""#), "\(whole)")
        let streamed = await response(asked + #","stream":true"#, by: vendor).body
        #expect(streamed.contains(#"{"type":"text_delta","text":"said"}"#), "\(streamed)")
        #expect(!streamed.contains("thinking") && streamed.contains("message_stop"), "\(streamed)")
    }

    @Test("a tool that is added in mid-conversation becomes a line of text")
    func addedTools() async {
        let vendor = LittleVendor()
        let turn =
            #","messages":[{"role":"user","content":"hi"},{"role":"system","content":[{"type":"tool_addition","tool":"#
            + #"{"type":"tool_reference","tool_name":"f"}}]},{"role":"user","content":"go"}]"#
        let response = await response(#""model":"m","max_tokens":50"# + turn, by: vendor)
        #expect(response.status == 200, "\(response)")
        #expect(vendor.heard.map(\.text) == ["hi", "The tool f is available.", "go"])
    }

    @Test("a sequence that ends the text is told")
    func stopped() async {
        for fields in [#","stop_sequences":["zz","ai"]"#, #","stop_sequences":["zz","ai"],"stream":true"#] {
            let response = await response(asked + fields)
            #expect(response.body.contains(#""stop_reason":"stop_sequence","stop_sequence":"ai""#), "\(response)")
        }
    }

    @Test("errors have an envelope of their own")
    func errors() async {
        let response = await response(#""model":"m","messages":[]"#)
        #expect(response.status == 400 && response.head.contains("Request-Id: req_"))
        #expect(response.body.hasPrefix(#"{"type":"error","error":{"type":"invalid_request_error","message":""#))
    }
}

/// Returns the reasoning of all messages as text and signature, with `*` in place of sealed text.
func reasoningBlocks(_ messages: [ChatMessage]) -> [String] {
    messages.flatMap(\.content).compactMap { piece in
        guard case .reasoningBlock(let reasoningBlock) = piece else { return nil }
        return "\(reasoningBlock.isSealed ? "*" : reasoningBlock.text)/\(reasoningBlock.signature ?? "-")"
    }
}
