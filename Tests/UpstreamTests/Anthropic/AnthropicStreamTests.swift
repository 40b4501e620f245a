import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct AnthropicStreamTests {
    private func stream(_ pieces: [[UInt8]]) -> WireStream {
        WireStream(
            ScriptedStream(pieces),
            AnthropicReader(JSONParser(), RandomBytes(), names: VendorNameMap(), isLegacy: false)
        )
    }

    private static let events =
        [
            ": first\r\n\r\nevent: message_start\r\n",
            #"data: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#, "\r\n\r\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            start(0, #""thinking","thinking":"","signature":"""#), delta(0, #""thinking_delta","thinking":"h\u00e4""#),
            delta(0, #""signature_delta","signature":"ab""#), delta(0, #""signature_delta","signature":"cd""#),
            #"data:{"type":"content_block_stop","index":0}"#, "\r\r",
            start(1, #""redacted_thinking","data":"ef""#), stop(1),
            start(2, #""server_tool_use","id":"s","name":"w""#), delta(2, #""input_json_delta","partial_json":"{}""#),
            stop(2), "event: odd\ndata: {\"type\":\"odd\",\"index\":\"x\"}\n\n",
            start(3, #""text","text":"zw""#), delta(3, #""text_delta","text":"\u00f6""#),
            delta(3, #""citations_delta","citation":{}"#), stop(3),
            start(4, #""tool_use","id":"a","name":"f","input":{}"#), delta(4, #""input_json_delta","partial_json":"""#),
            delta(4, #""input_json_delta","partial_json":"{\"x\":1}""#), stop(4),
            start(5, #""tool_use","id":"b","name":"g","input":{}"#), stop(5),
            start(6, #""tool_use","id":"c","name":"h","input":"{\"y\":2}""#), stop(6),
            #"data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":4.0}}"#,
            "\n\ndata: {\"type\":\"message_stop\"}",
        ]
        .joined()

    private static func start(_ index: Int, _ block: String) -> String {
        #"data: {"type":"content_block_start","index":\#(index),"content_block":{"type":\#(block)}}"# + "\n\n"
    }

    private static func delta(_ index: Int, _ delta: String) -> String {
        "event: content_block_delta\n"
            + #"data: {"type":"content_block_delta","index":\#(index),"delta":{"type":\#(delta)}}"# + "\n\n"
    }

    private static func stop(_ index: Int) -> String {
        #"data: {"type":"content_block_stop","index":\#(index)}"# + "\n\n"
    }

    private var whole: ChoiceOutput {
        var heard = ChoiceOutput()
        heard.texts = [0: "zw\u{f6}"]
        heard.reasoning = [0: "h\u{e4}"]
        heard.seals = ["abcd", "ef"]
        heard.calls = [0: ["a", "f", #"{"x":1}"#, "b", "g", "{}", "c", "h", #"{"y":2}"#]]
        heard.ends = [0: [.toolCalls]]
        heard.tokens = 4
        return heard
    }

    @Test("a stream is the same wherever its bytes are cut")
    func cutAnywhere() async {
        for pieces in cuttings(of: Array(Self.events.utf8)) {
            #expect(await hear(stream(pieces)) == whole, "\(pieces[0].count)")
        }
    }

    @Test(
        "what a message began with, and its uses of hosted tools, are known if it breaks off before any output",
        arguments: [
            ("", nil), (tool("web_search") + tool("code_execution"), "web_search=1,code_execution=1"),
            (tool("web_search") + tool("web_search") + result(#"{"error_code":"unavailable"}"#), "web_search=1"),
            (tool("web_search") + result("[]"), "web_search=1"),
            (tool("web_search") + tool("bash_code_execution") + uses(3), "web_search=3"),
        ] as [(String, String?)]
    )
    func cutEarly(events: String, toolUses: String?) async {
        let start = #"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#
        let stream = stream([Array("data: \(start)\n\n\(events)".utf8)])
        do throws(UpstreamError) {
            try await stream.begin()
            Issue.record("it began")
        } catch {
            #expect(error.usage?.promptTokens == 3 && error.usage?.toolUses.text == toolUses && error.mayBeBilled)
        }
    }

    private static func tool(_ name: String) -> String {
        start(0, #""server_tool_use","id":"s","name":"\#(name)""#) + stop(0)
    }

    private static func result(_ content: String) -> String {
        start(0, #""web_search_tool_result","content":\#(content)"#) + stop(0)
    }

    private static func uses(_ count: Int) -> String {
        #"data: {"type":"message_delta","usage":{"server_tool_use":{"web_search_requests":\#(count)}}}"# + "\n\n"
    }

    @Test("a broken answer is a failure or an end, and no crash")
    func broken() async {
        let bytes = Array(Self.events.utf8)
        for index in stride(from: 0, to: bytes.count, by: 3) {
            for byte in [UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "]"), 0, 0xff, 10] {
                var bytes = bytes
                bytes[index] = byte
                _ = await hear(stream([bytes]))
            }
        }
    }

    /// Returns what an event emits after others, or why it is invalid.
    private func events(from event: String, after before: [String]) -> [String] {
        let reader = AnthropicReader(JSONParser(), RandomBytes(), names: VendorNameMap(), isLegacy: false)
        var reported: [String] = []
        for data in before + [event] {
            reported = []
            let bytes = ByteBuffer(data)
            do throws(UpstreamError) {
                let event = EventStreamParser.Event(bytes.bytes, named: UnsafeRawBufferPointer("content_block_delta"))
                let isEnd = try reader.consume(event) {
                    if case .text(let text, _) = $1 {
                        reported.append("\($0) \(text.text)")
                    } else {
                        reported.append("other")
                    }
                }
                reported.append("\(isEnd) \(reader.hasBegun)")
            } catch {
                reported.append(error.cause)
            }
        }
        return reported
    }

    @Test("text within a tool call follows the call", arguments: ["text", "thinking"])
    func interleaved(kind: String) throws {
        let text = #""\#(kind)_delta","\#(kind)":"T""#
        let blocks = [
            Self.start(0, #""\#(kind)","\#(kind)":"""#), Self.delta(0, text),
            Self.start(1, #""tool_use","id":"a","name":"f","input":{}"#),
            Self.delta(1, #""input_json_delta","partial_json":"{""#), Self.delta(0, text),
            Self.delta(1, #""input_json_delta","partial_json":"}""#), Self.stop(1), Self.delta(0, text), Self.stop(0),
        ]
        let reader = AnthropicReader(JSONParser(), RandomBytes(), names: VendorNameMap(), isLegacy: false)
        var events = EventStreamParser()
        var bytes = ByteBuffer(blocks.joined())
        events.append(&bytes)
        var order = ""
        let emit = { (_: Int, event: ChatEvent) in
            switch event {
            case .text(let text, _), .reasoning(let text), .toolArguments(_, let text): order += text.text
            default: break
            }
        }
        while true {
            if reader.consumeText(from: &events, emit) { continue }
            guard let event = events.next() else { break }
            _ = try reader.consume(event, emit)
        }
        #expect(order == "T{}TT")
    }

    @Test("calls of an unknown type are a failure, or no reason to wait for results", arguments: ["", "a"])
    func unknownCalls(text: String) async {
        let end = #"data: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}"# + "\n\n"
        let blocks = [
            Self.start(0, #""text","text":"\#(text)""#), Self.stop(0), Self.start(1, #""odd_use","id":"a","name":"f""#),
            Self.stop(1), end, "data: {\"type\":\"message_stop\"}\n\n",
        ]
        let heard = await hear(stream([Array(blocks.joined().utf8)]))
        #expect(heard.failure == (text.isEmpty ? .failed : nil) && heard.ends == (text.isEmpty ? [:] : [0: [.stop]]))
    }

    @Test("a message that goes on as it came has its usage, whatever its content")
    func oddContent() throws {
        let reader = AnthropicReader(JSONParser(), RandomBytes(), names: VendorNameMap(), isLegacy: false)
        reader.isNative = true
        let usage = #""usage":{"input_tokens":3,"output_tokens":4}"#
        let body = Body(ByteBuffer(#"{"type":"message","content":"a","stop_reason":"end_turn",\#(usage)}"#))
        #expect(try reader.read(whole: body) { _, _ in } != nil)
        #expect(reader.usage == Usage(promptTokens: 3, completionTokens: 4))
    }

    @Test("an event of text is the same without a parser and with one")
    func plainDeltas() {
        let texts = [
            "", " a", "caf\u{e9}", #"\"quoted\""#, #"a\n\\b"#, #"\u00e9"#, #"\x"#, #"\"#, "a\"", "\u{1}", #"a"}}"#,
            "\u{1f310}",
            #"","text":"b"#,
        ]
        let end = #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#
        for before in [[], [end]] {
            for text in texts {
                for close in ["}}", "}   }", "}}  ", " } } ", "}", "}},", "}}}", "} x}", ""] {
                    for number in ["0", "9", "12", "01", "-1", "x", ""] {
                        let rest =
                            #""content_block_delta","index":\#(number),"delta":{"type":"text_delta","text":"\#(text)""#
                        let plain = events(from: #"{"type":"# + rest + close, after: before)
                        let read = events(from: #"{"type": "# + rest + close, after: before)
                        #expect(plain == read, "\(rest)\(close)")
                    }
                }
            }
        }
    }

    @Test("a stream of texts is the same without a parser and with one", arguments: 0..<20 as Range<UInt64>)
    func plainStreams(seed: UInt64) async {
        var random = Seeded(seed)
        let start = #"event: message_start"# + "\n" + #"data: {"type":"message_start","message":{}}"# + "\n\n"
        var (plain, read) = (start, start)
        for _ in 0..<40 {
            let text = random.pick([
                "a", "and so on", "caf\u{e9}", #"\"quoted\""#, #"a\n"#, #"\u00e9"#, "", "}",
                String(repeating: "x", count: 1_100),
            ])
            let close = random.pick(["}}", "}}", "}   }", "}}  ", " } } "])
            let name = random.pick(["event: content_block_delta\n", "event: content_block_delta\n", "", "event: x\n"])
            let number = random.pick([0, 0, 0, 1, 12])
            let rest =
                #""content_block_delta","index":\#(number),"delta":{"type":"text_delta","text":"\#(text)""# + close
            plain += name + #"data: {"type":"# + rest + "\n\n"
            read += name + #"data: {"type": "# + rest + "\n\n"
        }
        let end =
            #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}"# + "\n\n"
            + #"data: {"type":"message_stop"}"# + "\n\n"
        let bytes = Array((plain + end).utf8)
        let expected = await hear(stream([Array((read + end).utf8)]))
        #expect(expected.ends == [0: [.stop]])
        #expect(await hear(stream([bytes])) == expected)
        let cut = random.below(bytes.count)
        #expect(await hear(stream([Array(bytes[..<cut]), Array(bytes[cut...])])) == expected)
    }

    @Test(
        "of several counts of a prompt the last that is not zero holds, of those of the output the largest",
        arguments: [
            (#"{"input_tokens":10000,"output_tokens":0}"#, 10_005, 9_000, 5),
            (#"{"input_tokens":1005,"cache_read_input_tokens":9000,"output_tokens":7}"#, 10_005, 9_000, 7),
            (#"{"input_tokens":9,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}"#, 10_005, 9_000, 5),
            (#"{"input_tokens":2000}"#, 10_005, 9_000, 5),
        ]
    )
    func severalCounts(first: String, prompt: Int, cached: Int, output: Int) {
        var usage = MessageUsage(of: "m")
        let last = #"{"input_tokens":1005,"cache_read_input_tokens":9000,"output_tokens":5}"#
        let zeros = #"{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#
        for text in [first, last, zeros] {
            let buffer = ByteBuffer(text)
            _ = JSONParser.read(buffer.bytes) { usage.read($0) }
        }
        #expect(usage.usage?.promptTokens == prompt && usage.usage?.cachedTokens == cached)
        #expect(usage.usage?.completionTokens == output)
    }
}
