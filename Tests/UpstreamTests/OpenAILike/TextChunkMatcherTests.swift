import Engine
import Shared
import Testing

@testable import Upstream

/// Tests that chunks which are recognised by their similarity to another one give the same result as the parser.
@Suite struct TextChunkMatcherTests {
    private static let contents = [
        "x", " word", "caf\u{e9}", "\u{1f642}", #"a\nb"#, #"\"quoted\""#, #"\\"#, #"\/\b\f\r\t"#, #"\u00e9"#,
        #"\ud83d\ude42"#,
        "", "[DONE]", #"","content":""#, #"x"},"finish_reason":"stop","x":{"y":""#, #"\"#, #"\x"#, "\u{1}", "a\u{7f}b",
        "</b>",
    ]

    /// A chunk without text, from which nothing is learned.
    private static let role = Array(
        #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#
            .utf8
    )

    private static func chunk(_ content: String, more: String = "") -> [UInt8] {
        Array(
            (#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":"#
                + #"{"content":""# + content + #""},"logprobs":null,"finish_reason":null}],"usage":null"# + more + "}")
                .utf8
        )
    }

    private func heard(_ chunks: [[UInt8]], isNative: Bool) -> [String] {
        let responseOptions = ResponseOptions(model: "asked", choices: 1, includesUsage: true, isNative: isNative)
        let reader = ChatCompletionReader(responseOptions, JSONParser(), ids: RandomBytes())
        return chunks.map { chunk in
            var heard: [String] = []
            var bytes = ByteBuffer()
            chunk.withUnsafeBytes { bytes.append($0) }
            do throws(UpstreamError) {
                _ = try reader.consume(EventStreamParser.Event(bytes.bytes)) { choice, event in
                    switch event {
                    case .text(let text, _): heard.append("\(choice) text \(text.text)")
                    case .native(_, let text): heard.append("\(choice) native \(text.text)")
                    default: heard.append("\(choice) other")
                    }
                }
            } catch {
                heard.append(error.cause)
            }
            return heard.joined(separator: "\n")
        }
    }

    @Test("each text is the same after others and alone", arguments: [false, true])
    func same(isNative: Bool) {
        for content in Self.contents {
            let chunk = Self.chunk(content)
            let known = heard([Self.role, Self.chunk("first"), Self.chunk("second"), chunk, chunk], isNative: isNative)
            let read = heard([Self.role, chunk, chunk], isNative: isNative)
            #expect(Array(known[3...]) == Array(read[1...]), "\(content)")
        }
        var broken = Self.chunk("x")
        broken[broken.lastIndex(of: UInt8(ascii: "x")) ?? 0] = 0xff
        let known = heard([Self.role, Self.chunk("a"), Self.chunk("b"), broken], isNative: isNative)
        #expect(known[3] == heard([Self.role, broken], isNative: isNative)[1])
    }

    @Test("what differs besides the text is read", arguments: [false, true])
    func others(isNative: Bool) {
        for more in [#","x":1"#, #","error":{"message":"no"}"#, #","usage":{"prompt_tokens":1,"completion_tokens":2}"#]
        {
            let chunk = Self.chunk("x", more: more)
            let known = heard([Self.role, Self.chunk("first"), chunk, Self.chunk("y")], isNative: isNative)
            #expect(known[2] == heard([Self.role, chunk], isNative: isNative)[1])
            #expect(known[3] == heard([Self.role, Self.chunk("y")], isNative: isNative)[1])
        }
    }

    @Test("nothing follows the end of a choice")
    func afterTheEnd() {
        let end = Array(
            #"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.utf8
        )
        #expect(heard([Self.chunk("a"), Self.chunk("b"), end, Self.chunk("c")], isNative: false)[3].isEmpty)
    }
}
