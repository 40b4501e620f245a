import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct OpenAILikeStreamTests {
    private func responseOptions(isNative: Bool, choices: Int = 1) -> ResponseOptions {
        ResponseOptions(model: "asked", choices: choices, includesUsage: true, isNative: isNative)
    }

    private func stream(
        _ pieces: [[UInt8]],
        isEventStream: Bool = true,
        isNative: Bool = false
    ) -> WireStream {
        WireStream(
            ScriptedStream(pieces, isEventStream: isEventStream),
            ChatCompletionReader(responseOptions(isNative: isNative, choices: 2), JSONParser(), ids: RandomBytes())
        )
    }

    private static let events =
        ": ping\r\n\r\ndata: {\"choices\":[],\"id\":\"\"}\r\n\r\n"
        + #"data:{"id":"chatcmpl-1","created":5,"choices":[{"index":0,"delta":{"role":"assistant","reasoning":"h\u00e4"}}]}"#
        + "\n\n" + #"data: {"choices":[{"index":1,"delta":{"content":"zw\u00f6"},"finish_reason":"eos"}]}"# + "\r\r"
        + #"data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"ja"}],"tool_calls":"#
        + #"[{"function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"stop"}]}"# + "\r\n\r\n"
        + #"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"odd":{}}}"# + "\n\ndata: [DONE]"

    private static let response =
        #" {"id":"chatcmpl-1","created":5,"choices":[{"index":0,"message":{"role":"assistant","reasoning":"h\u00e4","#
        + #""content":[{"type":"text","text":"ja"}],"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]},"#
        + #""finish_reason":"stop"},{"index":1,"message":{"content":"zw\u00f6"},"finish_reason":"eos"}],"#
        + #""usage":{"prompt_tokens":3,"completion_tokens":4}}"#

    /// Removes the generated ids.
    private func plain(_ heard: ChoiceOutput) -> ChoiceOutput {
        var heard = heard
        for (choice, calls) in heard.calls { heard.calls[choice] = Array(calls.dropFirst()) }
        return heard
    }

    private var whole: ChoiceOutput {
        var heard = ChoiceOutput()
        heard.texts = [0: "ja", 1: "zw\u{f6}"]
        heard.reasoning = [0: "h\u{e4}"]
        heard.calls = [0: ["f", #"{"x":1}"#]]
        heard.ends = [0: [.toolCalls], 1: [.stop]]
        heard.tokens = 4
        return heard
    }

    @Test("a stream is the same wherever its bytes are cut", arguments: [false, true])
    func cutAnywhere(isNative: Bool) async {
        for pieces in cuttings(of: Array(Self.events.utf8)) {
            let heard = await hear(stream(pieces, isNative: isNative))
            #expect(plain(heard) == whole, "\(pieces[0].count)")
        }
    }

    @Test("a whole answer in place of a stream gives the same events, wherever it is cut")
    func wholeInPlace() async {
        for pieces in cuttings(of: Array(Self.response.utf8)) {
            let heard = await hear(stream(pieces, isEventStream: false))
            #expect(plain(heard) == whole, "\(pieces[0].count)")
        }
    }

    @Test(
        "large events, and whole responses in place of a stream, are charged to the memory",
        arguments: [true, false]
    )
    func charges(isEventStream: Bool) async {
        let text = String(repeating: "x", count: 300_000)
        let small = "data: " + #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"
        let response = #"{"choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":"stop"}]}"#
        let large = isEventStream ? "data: \(response)\n\n" : response.replacing("delta", with: "message")
        let bytes = Array((isEventStream ? String(repeating: small, count: 2_000) + large : large).utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 10_000).map {
            Array(bytes[$0..<min($0 + 10_000, bytes.count)])
        }
        for megabytes in [1, 2] {
            let budget = MemoryBudget(bytes: megabytes * 1_048_576)
            let reader = ChatCompletionReader(responseOptions(isNative: false), JSONParser(), ids: RandomBytes())
            let scripted = ScriptedStream(pieces, isEventStream: isEventStream, budget: budget)
            let stream = WireStream(scripted, reader)
            let heard = await hear(stream)
            #expect(heard.failure == (megabytes == 1 ? .unavailable : nil))
            withExtendedLifetime(stream) { #expect(megabytes == 1 || budget.usedBytes > 800_000) }
        }
    }

    @Test("comments do not make the wait for the usage longer")
    func drips() async {
        let finish = #"data: {"choices":[{"index":0,"delta":{"content":"ja"},"finish_reason":"stop"}]}"# + "\n\n"
        let scripted = ScriptedStream([Array(finish.utf8)] + Array(repeating: Array(": ping\n\n".utf8), count: 9))
        let reader = ChatCompletionReader(responseOptions(isNative: false), JSONParser(), ids: RandomBytes())
        let heard = await hear(WireStream(scripted, reader, tailNanoseconds: 0))
        #expect(heard.texts == [0: "ja"] && heard.ends == [0: [.stop]])
        #expect(scripted.piecesLeft == 9)
    }

    @Test("a broken answer is a failure or an end, and no crash")
    func broken() async {
        let bytes = Array(Self.events.utf8)
        for index in stride(from: 0, to: bytes.count, by: 3) {
            for byte in [UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "]"), 0, 0xff, 10] {
                var bytes = bytes
                bytes[index] = byte
                _ = await hear(stream([bytes], isNative: true))
            }
        }
    }
}
