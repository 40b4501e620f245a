import Engine
import Support
import Testing
import Upstream

@testable import Routes

/// Tests of the Responses API with a vendor's native reasoning and tools.
@Suite struct OpenAIResponsesTests {
    private let asked = #""model":"m","input":"hi","tools":[{"type":"TYPE","name":"f"}]"#

    private func response(_ type: String, _ fields: String = "") async -> ReceivedResponse {
        let body = "{\(asked.replacing("TYPE", with: type))\(fields)}"
        return await onLoop { loop in
            await answered(body, by: LittleVendor(), through: OpenAIResponses(), on: loop)
        } ?? ReceivedResponse()
    }

    /// The items of a call. A custom tool's input is stored in the arguments.
    private let item = [
        "function": #""call_id":"call-1","name":"f","arguments":"{\"a\":1}"}"#,
        "custom": #""call_id":"call-1","name":"f","input":"{\"a\":1}"}"#,
    ]

    @Test("thoughts, text and calls are items", arguments: ["function", "custom"])
    func whole(type: String) async {
        let response = await response(type)
        #expect(response.status == 200, "\(response)")
        let reasoningBlock = #""summary":[],"content":[{"type":"reasoning_text","text":"thought"}]}"#
        let said = #"[{"type":"output_text","annotations":[],"logprobs":[],"text":"said"}]}"#
        for text in [reasoningBlock, said, item[type] ?? "", #""status":"completed","background""#, #""store":false"#] {
            #expect(response.body.contains(text), "\(text): \(response.body)")
        }
    }

    @Test("they are events in the order of their items", arguments: ["function", "custom"])
    func streamed(type: String) async {
        let response = await response(type, #","stream":true"#)
        let types = response.body.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
        let part = ["output_item.added", "content_part.added"]
        let partEnd = ["content_part.done", "output_item.done"]
        let call = type == "custom" ? "custom_tool_call_input" : "function_call_arguments"
        let expected =
            ["created", "in_progress"] + part + ["reasoning_text.delta", "reasoning_text.done"] + partEnd + part
            + ["output_text.delta", "output_text.done"] + partEnd
            + ["output_item.added", "\(call).delta", "\(call).done", "output_item.done", "completed"]
        #expect(types.map(String.init) == expected.map { "response.\($0)" })
        for index in expected.indices {
            #expect(response.body.contains(#""type":"response.\#(expected[index])","sequence_number":\#(index),"#))
        }
        #expect(response.body.contains(item[type] ?? ""), "\(response.body)")
        let usage = #""output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":3}}}"#
        #expect(response.body.hasSuffix(usage + "\n\n"))
    }

    @Test("reasoning is a summary if the request asks for one", arguments: ["summary", "generate_summary"])
    func summaries(name: String) async {
        let item = #""summary":[{"type":"summary_text","text":"thought"}]}"#
        let asked = #","reasoning":{"\#(name)":"auto"}"#
        let whole = await response("function", asked).body
        #expect(whole.contains(item) && !whole.contains("reasoning_text"), "\(whole)")
        let streamed = await response("function", asked + #","stream":true"#).body
        let types = streamed.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(16) }
        let summary = ["part.added", "text.delta", "text.done", "part.done"].map { "reasoning_summary_\($0)" }
        let expected = ["output_item.added"] + summary + ["output_item.done"]
        #expect(types[2..<8].map(String.init) == expected, "\(types)")
        #expect(streamed.ranges(of: #","output_index":0,"summary_index":0,"#).count == 4)
        #expect(streamed.ranges(of: item).count == 2 && !streamed.contains("reasoning_text"))
    }

    @Test("a thought's signature is its item's encrypted content, and comes back")
    func signatures() async {
        let vendor = LittleVendor(signs: true)
        func ask(_ fields: String) async -> ReceivedResponse {
            await onLoop { loop in
                await answered("{\(fields)}", by: vendor, through: OpenAIResponses(), on: loop)
            } ?? ReceivedResponse()
        }
        let input =
            #""input":[{"role":"user","content":"hi"},{"type":"reasoning","summary":[],"content":"#
            + #"[{"type":"reasoning_text","text":"why"}],"encrypted_content":"s1"},"#
            + #"{"type":"reasoning","summary":[],"encrypted_content":"redacted.s2"},"#
            + #"{"type":"reasoning","summary":[],"encrypted_content":"s3"},"#
            + #"{"role":"assistant","content":"so"},{"type":"reasoning","summary":[{"type":"summary_text","text":"then"}]},"#
            + #"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},"#
            + #"{"type":"function_call_output","call_id":"c","output":"r"},"#
            + #"{"type":"reasoning","summary":[]},{"role":"assistant","content":"end"}]"#
        let sent = #""model":"m",\#(input),"tools":[{"type":"function","name":"f"}]"#
        let whole = await ask(sent).body
        let items =
            #""summary":[],"content":[{"type":"reasoning_text","text":"thought"}],"encrypted_content":"seal"},"#
        #expect(
            whole.contains(items)
                && whole.contains(#""summary":[],"content":[],"encrypted_content":"redacted.dark"},"#),
            "\(whole)"
        )
        #expect(reasoningBlocks(vendor.heard) == ["why/s1", "*/s2", "/s3", "then/-"])
        #expect(vendor.heard.map(\.role) == [.user, .assistant, .tool, .assistant])
        #expect(vendor.heard.map(\.text) == ["hi", "so", "r", "end"] && vendor.heard[1].toolCalls.count == 1)
        let events = await ask(sent + #","stream":true"#).body
        let types = events.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(16) }
        let reasoningBlock = ["output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"]
        let ends = ["content_part.done", "output_item.done", "output_item.added", "output_item.done"]
        #expect(types.prefix(10).map(String.init) == ["created", "in_progress"] + reasoningBlock + ends, "\(types)")
        #expect(
            events.contains(items.dropLast()) && events.contains(#""content":[],"encrypted_content":"redacted.dark"}}"#)
        )
    }

    @Test(
        "a message between agents is the user's, and names its author",
        arguments: [
            (#""type":"agent_message","content":[{"type":"input_text","text":"go"}]"#, "go"),
            (
                #""type":"agent_message","content":[{"type":"encrypted_content","encrypted_content":"plain words"}]"#,
                "plain words"
            ),
            (#""type":"multi_agent_call","name":"spawn","arguments":"{}""#, "spawn\n{}"),
            (#""type":"multi_agent_call_output","output":[{"type":"input_text","text":"done"}]"#, "done"),
        ]
    )
    func agents(members: String, text: String) async {
        let vendor = LittleVendor()
        let item = #"{"author":"/root",\#(members)}"#
        let response = await onLoop { loop in
            await answered(
                #"{"model":"m","input":[{"role":"user","content":"hi"},\#(item)]}"#,
                by: vendor,
                through: OpenAIResponses(),
                on: loop
            )
        }
        #expect(response?.status == 200, "\(String(describing: response))")
        #expect(vendor.heard.map(\.role) == [.user, .user] && vendor.heard[1].text == "Message from /root:\n\(text)")
        let block = vendor.heard.dropFirst().first?.content.first
        guard case .reasoningBlock(let own)? = block else { return #expect(Bool(false), "no item") }
        #expect(own.item?.bytes.text == item)
    }
}
