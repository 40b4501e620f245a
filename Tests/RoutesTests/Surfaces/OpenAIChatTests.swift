import Support
import Testing
import Upstream

@testable import Routes

/// Tests of whole requests through the router, without sockets.
@Suite struct OpenAIChatTests {
    private let asked = #""model":"m","messages":[{"role":"user","content":"hi"}],"#
    private let tool = #""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#

    private func response(_ fields: String) async -> ReceivedResponse {
        await onLoop { loop in await answered("{\(fields)}", by: LittleVendor(), on: loop) } ?? ReceivedResponse()
    }

    @Test("tools, reasoning and choices of a vendor reach the client whole")
    func whole() async {
        let response = await response(asked + tool + #","n":2"#)
        #expect(response.status == 200, "\(response)")
        let message =
            #""message":{"role":"assistant","content":"said","reasoning_content":"thought","refusal":null,"#
            + #""tool_calls":[{"id":"call-1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"#
            + #""logprobs":null,"finish_reason":"tool_calls"}"#
        for index in 0..<2 { #expect(response.body.contains(#"{"index":\#(index),"# + message), "\(response.body)") }
        #expect(response.head.contains("X-Relay-Provider: little"))
    }

    @Test("they reach it as events, each choice ended once, then usage")
    func streamed() async {
        let options = #","n":2,"stream":true,"stream_options":{"include_usage":true}"#
        let response = await response(asked + tool + options)
        for index in 0..<2 {
            for delta in [
                #"{"reasoning_content":"thought"}"#, #"{"content":"said"}"#,
                #"{"tool_calls":[{"index":0,"id":"call-1","type":"function","function":{"name":"f","arguments":""}}]}"#,
                #"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}"#,
            ] {
                #expect(
                    response.body.contains(#"{"index":\#(index),"delta":\#(delta),"finish_reason":null}"#),
                    "\(delta)"
                )
            }
            #expect(response.body.contains(#"{"index":\#(index),"delta":{},"finish_reason":"tool_calls"}"#))
        }
        #expect(response.body.contains(#""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#))
        #expect(response.body.hasSuffix("data: [DONE]\n\n"))
    }

    @Test("signatures stand beside thoughts and calls, and come back")
    func signatures() async {
        let vendor = LittleVendor(signs: true)
        let sent =
            #""model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"so","#
            + #""reasoning_content":"why","extra_content":{"thought_signature":"s1"},"tool_calls":[{"id":"c","type":"function","#
            + #""function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s2"}}}]},"#
            + #"{"role":"tool","tool_call_id":"c","content":"r"},{"role":"assistant","reasoning":"then","content":"end"}],"#
        func ask(_ fields: String) async -> String {
            await onLoop { loop in await answered("{\(fields)}", by: vendor, on: loop) }?.body ?? ""
        }
        let whole = await ask(sent + tool)
        // Two pieces of reasoning, as here, are joined to one text without a signature.
        #expect(whole.contains(#""content":"said","reasoning_content":"thought","refusal":null,"#), "\(whole)")
        #expect(whole.contains(#""arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"mark"}}}]"#))
        #expect(reasoningBlocks(vendor.heard) == ["why/s1", "then/-"])
        #expect(vendor.heard.flatMap(\.toolCalls).map(\.signature) == ["s2"] && vendor.heard[1].text == "so")
        let events = await ask(sent + tool + #","stream":true"#)
        let delta =
            #"{"tool_calls":[{"index":0,"function":{"arguments":""},"extra_content":{"google":{"thought_signature":"mark"}}}]}"#
        #expect(events.contains(#""delta":\#(delta),"finish_reason":null}]}"#), "\(events)")
        #expect(!events.contains("seal"))
        #expect(!events.contains("dark"))
    }

    @Test("what the vendor lacks is made up for, or refused")
    func lacking() async {
        let cut = await response(asked + #""stop":["ai"]"#)
        #expect(cut.body.contains(#""content":"s""#) && cut.body.contains(#""finish_reason":"stop""#))
        let refused = await response(asked + #""logprobs":true"#)
        #expect(refused.status == 400 && refused.body.contains(#""param":"logprobs""#))
    }

    @Test("the same vendor answers through another surface")
    func otherSurface() async {
        let said = "thinks: thought"
        let called = #"calls: none {"a":1}"#
        for isNow in [false, true] {
            let response = await onLoop { loop in
                await answered(
                    #"{"ask":"hi","answers":2,"now":\#(isNow)}"#,
                    by: LittleVendor(),
                    through: LinesSurface(),
                    on: loop
                )
            }
            for choice in 0..<2 {
                for line in [said, "says: said", called] {
                    #expect(response?.body.contains("\(choice) \(line)\n") ?? false, "\(response as Any)")
                }
            }
        }
        let wrong = await onLoop { loop in
            await answered("{}", by: LittleVendor(), through: LinesSurface(), on: loop)
        }
        #expect(wrong?.status == 400 && wrong?.body.hasPrefix("error: Missing") ?? false)
    }
}
