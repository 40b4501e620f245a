import Engine
import Testing

@testable import Shared

@Suite struct BodyTextTests {
    private func text(_ body: String, limit: Int = 16_384, hiding secrets: [String] = []) -> String {
        let text = BodyText(limitBytes: limit, hiding: SecretFinder(secrets))
        return text.masked(body.withBytes(text.excerpt))
    }

    private func events(_ stream: String, piece: Int, limit: Int = 16_384, hiding secrets: [String] = []) -> String {
        let maker = BodyText(limitBytes: limit, hiding: SecretFinder(secrets))
        var text = EventText(maker)
        stream.withBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: piece) {
                text.add(bytes[part: start..<min(start + piece, bytes.count)])
            }
        }
        return maker.masked(text.excerpt, ending: text.ending)
    }

    @Test("a body stays as it is but for media and secrets")
    func masks() {
        #expect(text(#"{"a":[1,"x \" y"],"b":"é"}"#) == #"{"a":[1,"x \" y"],"b":"é"}"#)
        let encoded = String(repeating: "QUJD", count: 100)
        #expect(text(#"{"url":"data:image/png;base64,\#(encoded)"}"#) == #"{"url":"[image/png, 300 bytes]"}"#)
        #expect(text(#"{"b64_json":"\#(encoded)","n":1}"#) == #"{"b64_json":"[encoded, 300 bytes]","n":1}"#)
        let named = #"{"headers":{"X-Api-Key":"k"},"token":"t"}"#
        #expect(text(named) == #"{"headers":{"X-Api-Key":"***"},"token":"***"}"#)
        #expect(text(#"{"max_tokens":5,"tokens":"t"}"#) == #"{"max_tokens":5,"tokens":"t"}"#)
        let key = "sk-" + String(repeating: "a1", count: 20)
        #expect(text(#"{"content":"my key is \#(key), really"}"#) == #"{"content":"my key is ***, really"}"#)
        #expect(text(#"{"content":"Bearer abcdefghijklmnopqrstuv"}"#) == #"{"content":"Bearer ***"}"#)
        let given = #"{"content":"it is hunter2hunter2 hunter2hunter2"}"#
        #expect(text(given, hiding: ["hunter2hunter2", "it"]) == #"{"content":"it is *** ***"}"#)
    }

    @Test("a body is cut at the limit, and a secret at the cut is not there in part")
    func cuts() {
        let long = text(#"{"content":"\#(String(repeating: "word ", count: 10_000))"}"#, limit: 1_000)
        #expect(long.utf8.count <= 1_000 && long.utf8.count > 990)
        let key = "sk-" + String(repeating: "b2", count: 30)
        for shift in 0..<80 {
            let body = #"{"content":"\#(String(repeating: ".", count: 900 + shift)) \#(key)"}"#
            #expect(!text(body, limit: 1_000).contains("sk-"), "\(shift)")
        }
    }

    @Test("any bytes have a text", arguments: ["", "\"", "\\", "{\"a\":\"", "{\"a", "\"\\\"", "[[[", "\u{0}"])
    func anyBytes(body: String) {
        #expect(text(body) == body)
        #expect(events("data: " + body + "\n\n", piece: 3) == "[]" || !body.isEmpty)
    }

    @Test("the text of a stream is what was generated, however its bytes come", arguments: [1, 7, 10_000])
    func streams(piece: Int) {
        let chat = """
            data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

            data: {"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"Hm"}}]}

            : ping

            data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}

            data: {"id":"c","choices":[{"index":0,"delta":{"content":"lo \\"you\\""},"finish_reason":null}]}

            data: {"id":"c","choices":[{"delta":{"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{"}}]}}]}

            data: {"id":"c","choices":[{"delta":{"tool_calls":[{"function":{"arguments":"}"}}]}}]}

            data: [DONE]


            """
        #expect(
            events(chat, piece: piece)
                == #"[{"reasoning_content":"Hm"},{"content":"Hello \"you\""},{"name":"f"},{"arguments":"{}"}]"#
        )
        let responses = """
            event: response.created
            data: {"type":"response.created","response":{"output":[],"text":"no"}}

            data: {"type":"response.output_text.delta","delta":"Hel"}

            data: {"type":"response.output_text.delta","delta":"lo"}

            data: {"type":"response.output_text.done","text":"Hello"}


            """
        #expect(events(responses, piece: piece) == #"[{"delta":"Hello"}]"#)
        #expect(events(chat, piece: piece, limit: 40).utf8.count <= 40)
    }

    @Test("bodies have an eighth of the memory at most, and give it back")
    func bounds() {
        let memory = MemoryBudget(bytes: 8 << 20)
        let budget = BodyBudget(memory)
        let text = String(repeating: "x", count: 100_000)
        var all = (0..<20).map { _ in KeptBodies(limitBytes: 200_000, budget) }
        for bodies in all { bodies.keep(request: text) }
        #expect(all.count { $0.request != nil } == 10 && budget.isNearlyFull)
        all.removeFirst(10)
        all[0].keep(response: text)
        #expect(all[0].response != nil && !budget.isNearlyFull)
        all = []
        #expect(memory.usedBytes <= 1 << 20)
    }
}
