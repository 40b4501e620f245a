import Engine
import Shared
import Testing

@testable import Upstream

/// Tests responses of servers that mean more than their form says.
@Suite struct ServerHabitsTests {
    struct Habit: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The choices of each chunk; a whole response has those of the last.
        let chunks: [String]
        var isWhole = false
        /// Further members of each chunk.
        var more = ""
        var text: String?
        var reasoning: String?
        var calls: [String]?
        var finish: FinishReason?
        var failure: UpstreamError.Kind?
    }

    private static func text(_ text: String, _ finish: String? = nil, index: Int = 0) -> String {
        let word = finish.map { "\"\($0)\"" } ?? "null"
        return #"{"index":\#(index),"delta":{"content":"\#(text)"},"finish_reason":\#(word)}"#
    }

    private static func call(_ members: String, index: Int = 0, finish: String = "null") -> String {
        #"{"index":\#(index),"delta":{"tool_calls":[{"index":0,\#(members)}]},"finish_reason":\#(finish)}"#
    }

    private static let role = #"{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}"#
    private static let begun = #""id":"a","type":"function","function":{"name":"f","arguments":""}"#
    private static let wholeCall =
        #""tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]"#

    private static let image = #"{"type":"image_url","image_url":{"url":"data:x"}}"#

    static let habits: [Habit] = [
        Habit(
            testDescription: "an end in every chunk",
            chunks: [role, text("a", "stop"), text("b", "stop"), text("", "stop"), text("c", "stop")],
            text: "abc",
            finish: .stop
        ),
        Habit(
            testDescription: "the last end counts",
            chunks: [text("a", "stop"), text("b"), text("c", "length")],
            text: "abc",
            finish: .length
        ),
        Habit(
            testDescription: "an end before the pieces of a call",
            chunks: [
                text("a", "tool_calls"), call(begun, finish: #""tool_calls""#),
                call(#""function":{"arguments":"{\"x\""}"#, finish: #""tool_calls""#),
                call(#""function":{"arguments":":1}"}"#, finish: #""tool_calls""#),
            ],
            text: "a",
            calls: ["a", "f", #"{"x":1}"#],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "the call as a second choice",
            chunks: [text("a"), call(begun, index: 1), #"{"index":1,"delta":{},"finish_reason":"tool_calls"}"#],
            text: "a",
            calls: ["a", "f", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "the call as a second whole choice",
            chunks: [
                #"{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{\#(wholeCall)},"finish_reason":"tool_calls"}"#
            ],
            isWhole: true,
            text: "a",
            calls: ["a", "f", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "the call as a second whole choice of the same index",
            chunks: [
                #"{"index":0,"message":{"content":"a"},"finish_reason":"tool_calls"},{"index":0,"message":{\#(wholeCall)},"finish_reason":"tool_calls"}"#
            ],
            isWhole: true,
            text: "a",
            calls: ["a", "f", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "calls that never come",
            chunks: [text("a", "tool_calls")],
            text: "a",
            finish: .toolCalls
        ),
        Habit(
            testDescription: "calls that never come, and no text",
            chunks: [#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#],
            failure: .failed
        ),
        Habit(
            testDescription: "an error of Groq",
            chunks: [text("a")],
            more: #","x_groq":{"id":"r","error":"over_capacity"}"#,
            failure: .failed
        ),
        Habit(testDescription: "an error as a flag", chunks: [text("a")], more: #","error":true"#, failure: .failed),
        Habit(
            testDescription: "texts without quotes",
            chunks: [
                #"{"index":0,"delta":{"reasoning":7}}"#, #"{"index":0,"delta":{"reasoning_content":8}}"#,
                #"{"index":0,"delta":{"content":1}}"#, #"{"index":0,"delta":{"content":1.50}}"#,
                #"{"index":0,"delta":{"content":true}}"#,
            ],
            text: "11.50true",
            reasoning: "78",
            finish: .stop
        ),
        Habit(
            testDescription: "whole texts without quotes",
            chunks: [#"{"index":0,"message":{"content":1.50,"reasoning":2},"finish_reason":"stop"}"#],
            isWhole: true,
            text: "1.50",
            reasoning: "2",
            finish: .stop
        ),
        Habit(
            testDescription: "a new id in each chunk of a call",
            chunks: [
                call(begun), call(#""id":"b","function":{"arguments":"{\"x\""}"#),
                call(#""id":"c","type":"function","function":{"name":null,"arguments":":1}"}"#),
            ],
            calls: ["a", "f", #"{"x""#, ":1}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "a name in two pieces",
            chunks: [
                call(#""id":"a","type":"function","function":{"name":"get_","arguments":""}"#),
                call(#""function":{"name":"weather"}"#), call(#""function":{"arguments":"{}"}"#),
            ],
            calls: ["a", "get_weather", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "a name in pieces without arguments, and again as a whole",
            chunks: [
                call(#""id":"a","function":{"name":"get"}"#), call(#""function":{"name":"weather"}"#),
                call(#""function":{"name":"getweather"}"#),
            ],
            calls: ["a", "getweather", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "arguments in a string",
            chunks: [
                call(begun), call(#""function":{"arguments":"\"{\\\"a\\\""}"#),
                call(#""function":{"arguments":":1}\""}"#),
            ],
            calls: ["a", "f", #"{"a":1}"#],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "the string of a custom tool",
            chunks: [call(#""id":"a","type":"custom","custom":{"name":"f","input":"\"{}\""}"#)],
            calls: ["a", "f", #""{}""#],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "a call as an object in place of a list",
            chunks: [
                #"{"index":0,"delta":{"tool_calls":{"index":0,\#(begun)}}}"#, call(#""function":{"arguments":"{}"}"#),
            ],
            calls: ["a", "f", "{}"],
            finish: .toolCalls
        ),
        Habit(
            testDescription: "a whole message in a chunk",
            chunks: [#"{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}"#],
            text: "a",
            finish: .stop
        ),
        Habit(
            testDescription: "pieces of a message",
            chunks: [#"{"index":0,"message":{"content":"a"}}"#, #"{"index":0,"message":{"content":"b"}}"#],
            text: "ab",
            finish: .stop
        ),
        Habit(
            testDescription: "the whole message again at the end",
            chunks: [text("a"), #"{"index":0,"message":{"content":"a"},"finish_reason":"stop"}"#],
            text: "a",
            finish: .stop
        ),
        Habit(
            testDescription: "images",
            chunks: [
                #"{"index":0,"delta":{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:x"}}]}}"#,
                #"{"index":0,"delta":{"images":[{"image_url":{"url":"data:y"}}]},"finish_reason":"stop"}"#,
            ],
            text: "a![Image 1](data:x)\n![Image 2](data:y)",
            finish: .stop
        ),
        Habit(
            testDescription: "an image as a part of the content",
            chunks: [
                #"{"index":0,"delta":{"content":[{"type":"text","text":"a"},\#(image)]}}"#, text("", "stop"),
            ],
            text: "a![Image 1](data:x)",
            finish: .stop
        ),
        Habit(
            testDescription: "a part in place of a list, a text in place of an object, and a text beside it",
            chunks: [
                #"{"index":0,"delta":{"content":{"type":"text","text":"a"}}}"#, #"{"index":0,"delta":"b"}"#,
                #"{"index":0,"text":"c","finish_reason":"stop"}"#,
            ],
            text: "abc",
            finish: .stop
        ),
        Habit(
            testDescription: "reasoning in lists, objects and other members",
            chunks: [
                #"{"index":0,"delta":{"reasoning":{"text":"3"}}}"#,
                #"{"index":0,"delta":{"reasoning":[{"type":"text","text":"4"}]}}"#,
                #"{"index":0,"delta":{"reasoning_content":[{"text":"5"},{"text":"6"}]}}"#,
                #"{"index":0,"delta":{"reasoning_text":"7"}}"#,
                #"{"index":0,"delta":{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"8"}]}]}}"#,
                // In streams, MiniMax repeats what it has sent.
                #"{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"345678"}]}}"#,
                text("a"),
            ],
            text: "a",
            reasoning: "345678",
            finish: .stop
        ),
        Habit(
            testDescription: "whole reasoning in details",
            chunks: [
                #"{"index":0,"message":{"content":"a","reasoning_details":[{"type":"x"},{"summary":"1"}]},"finish_reason":"stop"}"#
            ],
            isWhole: true,
            text: "a",
            reasoning: "1",
            finish: .stop
        ),
    ]

    @Test("responses are read as they are meant", arguments: habits, [false, true])
    func meant(habit: Habit, isNative: Bool) async throws {
        let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: isNative)
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        var bytes: [UInt8] = []
        for choices in habit.chunks {
            let json = #"{"choices":[\#(choices)]\#(habit.more)}"#
            bytes += Array((habit.isWhole ? json : "data: \(json)\n\n").utf8)
        }
        if !habit.isWhole { bytes += Array("data: [DONE]\n\n".utf8) }
        let heard = await hear(WireStream(ScriptedStream([bytes], isEventStream: !habit.isWhole), reader))
        #expect(heard.failure == habit.failure)
        guard habit.failure == nil else { return }
        // A native response passes images on as they came.
        let text = isNative ? habit.text.map { String($0.prefix { $0 != "!" }) } : habit.text
        #expect(heard.texts[0] == text && heard.reasoning[0] == habit.reasoning)
        #expect(
            heard.calls[0].map { $0.prefix(2) + [$0.dropFirst(2).joined()] }
                == habit.calls.map { $0.prefix(2) + [$0.dropFirst(2).joined()] }
        )
        #expect(heard.ends[0] == [habit.finish ?? .stop])
    }

    @Test(
        "content parts, and tool calls of other types, go on as they came, and images beside the text",
        arguments: [
            (#""content":[{"type":"text","text":"a"},\#(image)]"#, "stop"), (#""content":[\#(image)]"#, "stop"),
            (#""content":[{"type":"odd","odd":{}}]"#, "stop"),
            (#""content":[{"type":"odd","odd":{}},{"type":"text","text":"a"}]"#, "stop"),
            (#""tool_calls":[{"index":0,"id":"b","type":"odd","odd":{"x":1}}]"#, "tool_calls"),
            (
                #""tool_calls":[{"index":0,"id":"b","type":"odd"},{"index":1,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
                "tool_calls"
            ),
        ] as [(members: String, finish: String)],
        [true, false]
    )
    func asTheyCame(message: (members: String, finish: String), isWhole: Bool) async throws {
        let (members, finish) = message
        let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: true)
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        var out = ""
        if isWhole {
            let message = #"{"index":0,"message":{"role":"assistant",\#(members)},"finish_reason":"\#(finish)"}"#
            out = try reader.read(whole: Body(ByteBuffer(#"{"choices":[\#(message)]}"#))) { _, _ in }?.bytes.text ?? ""
        } else {
            let emit = { (_: Int, event: ChatEvent) in if case .native(_, let chunk) = event { out += chunk.text } }
            for chunk in [#""delta":{"role":"assistant",\#(members)}"#, #""delta":{},"finish_reason":"\#(finish)""#] {
                let data = ByteBuffer(#"{"choices":[{"index":0,\#(chunk)}]}"#)
                _ = try reader.consume(EventStreamParser.Event(data.bytes), emit)
            }
            try reader.end(emit)
        }
        let images = #""images":[\#(Self.image)]"#
        // Clients expect a text, not a list.
        let isLost = (!isWhole || members.contains(#""a""#)) && members.contains(#""content":[{"type":"odd""#)
        #expect(out.contains(members.contains(Self.image) ? images : members) != isLost, "\(out)")
        #expect(
            out.contains(#""content":"a""#) == members.contains(#""text":"a""#) && out.contains(#":"\#(finish)""#),
            "\(out)"
        )
    }

    @Test(
        "a stop sequence of the request that the server names is known",
        arguments: [
            (#""stop_reason":"Z""#, "Z"), (#""matched_stop":"Z""#, "Z"), (#""stop_reason":"end_turn""#, nil),
            (#""stop_reason":null"#, nil), (#""matched_stop":151645"#, nil),
        ] as [(String, String?)]
    )
    func stops(member: String, wanted: String?) throws {
        var options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: false)
        options.stops = ["Q", "Z"]
        let message = #""message":{"role":"assistant","content":"a"}"#
        let json = #"{"choices":[{"index":0,\#(message),"finish_reason":"stop",\#(member)}]}"#
        var heard: [String?] = []
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        _ = try reader.read(whole: Body(ByteBuffer(json))) { _, event in
            if case .finish(.stop, let stop) = event { heard.append(stop?.text) }
        }
        #expect(heard == [wanted])
    }

    @Test(
        "one table has the words for the end of all kinds",
        arguments: [
            ("stop", FinishWord.reason(.stop)), ("END_TURN", .reason(.stop)), ("Length", .reason(.length)),
            ("model_context_window_exceeded", .reason(.length)), ("MAX_TOKENS", .reason(.length)),
            ("max_output_tokens", .reason(.length)), ("SAFETY", .reason(.contentFilter)),
            ("content_filtered", .reason(.contentFilter)), ("guardrail_intervened", .reason(.contentFilter)),
            ("Refusal", .reason(.refusal)), ("tool_use", .reason(.toolCalls)), ("ERROR", .failed),
            ("function_call_filter: MALFORMED", .failed), ("bananas", .unknown), ("", .unknown),
        ]
    )
    func words(word: String, meaning: FinishWord) { #expect(withBytes(word) { FinishWord($0) } == meaning) }

    @Test("tokens that are cached for longer than five minutes have the hour's price")
    func longCacheWrites() {
        let parts = #""cache_write_tokens_details":{"ttl_5m_tokens":1,"ttl_30m_tokens":2,"ttl_12h_tokens":3}"#
        let usage =
            #"{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cache_write_tokens":6,\#(parts)}}"#
        let bytes = ByteBuffer(usage)
        let parser = JSONParser()
        var counts = UsageCounts()
        if let root = try? parser.parse(bytes.bytes) { _ = counts.read(root) }
        #expect(counts.usage?.cacheWriteTokens == 6 && counts.usage?.longCacheWriteTokens == 5)
    }

    @Test("the usage may have the names of the Responses API") func otherNames() {
        let bytes = ByteBuffer(#"{"input_tokens":9,"output_tokens":3}"#)
        let parser = JSONParser()
        var counts = UsageCounts()
        if let root = try? parser.parse(bytes.bytes) { _ = counts.read(root) }
        #expect(counts.usage?.promptTokens == 9 && counts.usage?.completionTokens == 3)
    }

    @Test(
        "cached tokens are read in the words of all servers",
        arguments: [
            #""cached_tokens":5"#, #""num_cached_tokens":5"#, #""cache_read_input_tokens":5"#,
            #""prompt_cache_hit_tokens":5"#, #""input_tokens_details":{"cached_tokens":5}"#,
            #""prompt_tokens_details":{"cached_tokens":5}"#, #""prompt_tokens_details":null,"cached_tokens":5"#,
        ]
    )
    func cachedTokens(members: String) async throws {
        let usage = #""usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10,\#(members)}"#
        for chunk in [#"{"choices":[],\#(usage)}"#, #"{"choices":[{"index":0,"delta":{},\#(usage)}]}"#] {
            let bytes = Array(
                "data: {\"choices\":[\(Self.text("a", "stop"))]}\n\ndata: \(chunk)\n\ndata: [DONE]\n\n".utf8
            )
            let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: false)
            let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
            _ = await hear(WireStream(ScriptedStream([bytes]), reader))
            #expect(reader.usage?.cachedTokens == 5)
        }
    }

    @Test("citations belong to their choice, a choice that was not requested has none")
    func citations() throws {
        func choice(_ index: Int) -> String {
            let cited = #"[{"type":"url_citation","url_citation":{"url":"https://\#(index).example"}}]"#
            return #"{"index":\#(index),"message":{"content":"a","annotations":\#(cited)},"finish_reason":"stop"}"#
        }
        func cited(_ index: Int) -> String { #"{"type":"url_citation","url":"https://\#(index).example"}"# }
        var options = ResponseOptions(model: "m", choices: 2, includesUsage: true, isNative: false)
        options.keepsAnnotations = true
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        let body = Body(ByteBuffer(#"{"choices":[\#([1, 0, 2].map(choice).joined(separator: ","))]}"#))
        var found: [Int: [String]] = [:]
        _ = try reader.read(whole: body) { index, event in
            if case .annotation(let json) = event { found[index, default: []].append(json.text) }
        }
        #expect(found == [0, 1].reduce(into: [:]) { $0[$1] = [cited($1)] })
    }

    private static func failure(_ chunks: [String], isWhole: Bool = false) async -> UpstreamError.Kind? {
        let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: true)
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        let bytes = Array((isWhole ? chunks : chunks.map { "data: \($0)\n\n" }).joined().utf8)
        return await hear(WireStream(ScriptedStream([bytes], isEventStream: !isWhole), reader)).failure
    }

    @Test(
        "an error in any form is the server's error",
        arguments: [
            (#"{"error":{"message":"No answer","code":524}}"#, UpstreamError.Kind.failed),
            (#"{"error":"No such method."}"#, .failed), (#"{"code":500,"msg":"NOT_FOUND","success":false}"#, .failed),
            (#"{"code":11200,"message":"licence","sid":"cha"}"#, .failed),
            (#"{"code":"InternalError","message":"It failed.","choices":null}"#, .failed),
            (#"{"error_code":336501,"error_msg":"It is busy"}"#, .failed),
            (#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#, .rateLimited),
        ]
    )
    func errors(json: String, kind: UpstreamError.Kind) async {
        #expect(await Self.failure([json], isWhole: true) == kind)
        #expect(await Self.failure([json, "[DONE]"]) == kind)
        let begun = #"{"choices":[\#(Self.text("a"))]}"#
        #expect(await Self.failure([begun, json, "[DONE]"]) == kind)
        let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: false)
        let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
        #expect {
            _ = try reader.read(whole: Body(ByteBuffer(json))) { _, _ in }
        } throws: {
            let message = ($0 as? UpstreamError).map { APIError($0, model: "m").message } ?? ""
            return kind != .failed || message.hasPrefix("The provider returned an error.")
        }
    }

    @Test(
        "an error in an event or a line of its own, or in a choice, is the server's error",
        arguments: [
            "event: error\ndata: {\"message\":\"it broke\",\"code\":\"x\"}", "data: {oops",
            "error: {\"code\":500,\"message\":\"it broke\"}",
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":null,\"error\":{\"code\":502}}]}",
            "data: {\"detail\":\"it broke\"}", "data: {\"status\":\"error\",\"message\":\"it broke\"}",
            "data: {\"errors\":[{\"message\":\"it broke\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}",
        ]
    )
    func errorsOfTheirOwn(lines: String) async {
        let begun = "data: {\"choices\":[\(Self.text("a"))]}\n\n"
        for (lines, failure) in [(lines, UpstreamError.Kind.failed), (": wait", nil)] {
            let options = ResponseOptions(model: "m", choices: 1, includesUsage: true, isNative: true)
            let reader = ChatCompletionReader(options, JSONParser(), ids: RandomBytes())
            let bytes = Array("\(begun)\(lines)\n\ndata: [DONE]\n\n".utf8)
            #expect(await hear(WireStream(ScriptedStream([bytes], isEventStream: true), reader)).failure == failure)
        }
    }

    @Test(
        "a chunk with other members is no error",
        arguments: [
            #"{"code":0,"message":"success"}"#, #"{"code":"200","msg":"ok"}"#, #"{"message":"It thinks."}"#,
            #"{"type":"ping"}"#, #"{"choices":[],"code":500,"message":"x"}"#, "{}",
        ]
    )
    func odd(json: String) async {
        #expect(await Self.failure([json, #"{"choices":[\#(Self.text("a", "stop"))]}"#, json, "[DONE]"]) == nil)
        let text = #"{"choices":[\#(Self.text("a"))]}"#
        #expect(await Self.failure([text, text, json, text, "[DONE]"]) == nil, "text follows")
    }
}
