import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct ChatCallTests {
    private let messages = #""messages":[{"role":"user","content":"hi"}]"#

    private func call(_ fields: String, defaultModel: String? = nil) throws -> ChatCall {
        let buffer = ByteBuffer("{\(fields)}")
        let parser = JSONParser()
        return try withExtendedLifetime(parser) { try ChatCall(parser.parse(buffer.bytes), defaultModel: defaultModel) }
    }

    @Test("what is absent or null has its default")
    func defaults() throws {
        let call = try call(
            #""model":"m",\#(messages),"stream":null,"n":null,"stop":null,"tools":null,"max_tokens":null"#
        )
        #expect(call.model == "m" && call.messages.map(\.text) == ["hi"] && call.messages[0].role == .user)
        #expect(!call.isStreamed && !call.includesUsage && call.choices == 1 && call.stops.isEmpty)
        #expect(call.maxTokens == nil && call.webSearch == nil && !call.wantsCode)
    }

    @Test("a request that names no model gets the default one")
    func defaultModel() throws {
        #expect(try call(messages, defaultModel: "d").model == "d")
        #expect(try call(#""model":null,\#(messages)"#, defaultModel: "d").model == "d")
        #expect(try call(#""model":"m",\#(messages)"#, defaultModel: "d").model == "m")
    }

    @Test("the newer name of a limit wins, and empty stops are none")
    func readsFields() throws {
        let call = try call(
            #""model":"m",\#(messages),"stream":true,"stream_options":{"include_usage":true},"n":3,"stop":["a","","b"],"#
                + #""max_tokens":5,"max_completion_tokens":7"#
        )
        #expect(call.isStreamed && call.includesUsage && call.choices == 3)
        #expect(call.stops == ["a", "b"] && call.maxTokens == 7)
    }

    @Test(
        "a request that is wrong names what",
        arguments: [
            (#""messages":[{"role":"user","content":"a"}]"#, "model"), (#""model":"","messages":[]"#, "model"),
            (#""model":"m""#, "messages"), (#""model":"m","messages":[]"#, "messages"),
            (#""model":"m","messages":[1]"#, "messages[0]"),
            (
                #""model":"m","messages":[{"role":"user","content":"a"},{"role":"boss","content":""}]"#,
                "messages[1].role"
            ),
            (#""model":"m","messages":[{"role":"user"}]"#, "messages[0].content"),
            (#""model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0].text"),
            (#""model":"m","messages":[{"role":"user","content":"a"}],"n":9"#, "n"),
            (#""model":"m","messages":[{"role":"user","content":"a"}],"stop":[1]"#, "stop[0]"),
            (#""model":"m","messages":[{"role":"user","content":"a"}],"temperature":2.1"#, "temperature"),
            (#""model":"m","messages":[{"role":"user","content":"a"}],"stream_options":{}"#, "stream_options"),
        ]
    )
    func namesProblem(_ fields: String, _ param: String) {
        do {
            _ = try call(fields)
            Issue.record("it was taken")
        } catch {
            #expect((error as? APIError)?.param == param)
            #expect((error as? APIError)?.status == 400)
        }
    }
}
