import Engine
import Shared
import Testing

@testable import Routes
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

    @Test("a tool of an unknown type is left to a server that gets the request as it came")
    func unknownTools() throws {
        for (tools, mayBeLeftOut) in [
            (#"[{"type":"browser"}]"#, false), (#"[{"type":"browser"},{"type":"function","name":"f"}]"#, true),
        ] {
            let call = try call(#""model":"m",\#(messages),"tools":\#(tools)"#)
            #expect(call.unreadError?.param == "tools[0].type" && call.mayLeaveOutTools == mayBeLeftOut)
        }
    }

    @Test("a format of an unknown type is left to a server that gets the request as it came, too")
    func unknownFormats() throws {
        let format = #""response_format":{"type":"structural_tag","structures":[]}"#
        #expect(try call(#""model":"m",\#(messages),\#(format)"#).unreadError?.param == "response_format.type")
        let tools = #"[{"type":"browser"},{"type":"function","name":"f"}]"#
        #expect(try call(#""model":"m",\#(messages),"tools":\#(tools),\#(format)"#).mayLeaveOutTools == false)
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

    @Test(
        "tools, functions and formats are read strictly, and the error names the field",
        arguments: [
            (#""tools":[1]"#, "tools[0]"), (#""tools":[{}]"#, "tools[0].type"),
            (#""tools":[{"type":null}]"#, "tools[0].type"),
            (#""tools":[{"type":"function"}]"#, "tools[0].function"),
            (#""tools":[{"type":"function","function":"f"}]"#, "tools[0].function"),
            (#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
            (#""tools":[{"type":"function","function":{"name":""}}]"#, "tools[0].function.name"),
            (#""tools":[{"type":"function","function":{"name":7}}]"#, "tools[0].function.name"),
            (#""tools":[{"type":"function","function":{"name":"a.b"}}]"#, "tools[0].function.name"),
            (
                #""tools":[{"type":"function","name":"f"},{"type":"function","name":"\#(String(repeating: "x", count: 65))"}]"#,
                "tools[1].name"
            ),
            (#""tools":[{"type":"function","name":"f","description":1}]"#, "tools[0].description"),
            (#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
            (#""tools":[{"type":"function","function":{"name":"f","strict":1}}]"#, "tools[0].function.strict"),
            (#""tools":[{"type":"custom","custom":{"name":"c","format":1}}]"#, "tools[0].custom.format"),
            (#""tool_choice":"any""#, "tool_choice"), (#""tool_choice":5"#, "tool_choice"),
            (#""tool_choice":"required""#, "tool_choice"), (#""tool_choice":{}"#, "tool_choice.type"),
            (#""tool_choice":{"type":"function"}"#, "tool_choice.function"),
            (#""tool_choice":{"type":"function","function":{}}"#, "tool_choice.function.name"),
            (#""tool_choice":{"type":"function","function":{"name":"g"}}"#, "tool_choice"),
            (#""tool_choice":{"type":"allowed_tools"}"#, "tool_choice.allowed_tools"),
            (
                #""tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","function":{"name":"g"}}"#,
                "tool_choice"
            ),
            (#""functions":[{}]"#, "functions[0].name"), (#""functions":["f"]"#, "functions[0]"),
            (#""functions":[{"name":"f"}],"function_call":"must""#, "function_call"),
            (#""functions":[{"name":"f"}],"function_call":{}"#, "function_call.name"),
            (#""functions":[{"name":"f"}],"function_call":{"name":"g"}"#, "function_call"),
            (#""functions":[{"name":"f"}],"function_call":1"#, "function_call"),
            (#""response_format":{"type":"json_schema"}"#, "response_format.json_schema"),
            (#""response_format":{"type":"json_schema","json_schema":5}"#, "response_format.json_schema"),
            (#""response_format":{"type":"json_schema","json_schema":{}}"#, "response_format.json_schema.name"),
            (
                #""response_format":{"type":"json_schema","json_schema":{"name":"a b"}}"#,
                "response_format.json_schema.name"
            ),
            (
                #""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":"b"}}"#,
                "response_format.json_schema.schema"
            ),
            (
                #""response_format":{"type":"json_schema","json_schema":{"name":"a","strict":"b"}}"#,
                "response_format.json_schema.strict"
            ),
        ]
    )
    func strictTools(_ fields: String, _ param: String) {
        namesProblem(#""model":"m",\#(messages),\#(fields)"#, param)
    }

    @Test("what is right in tools, functions and formats is kept")
    func readsTools() throws {
        let longest = String(repeating: "x", count: 64)
        let tools = try call(
            #""model":"m",\#(messages),"tools":[{"type":"function","function":{"name":"f-_9","strict":true}},"#
                + #"{"type":"function","name":"\#(longest)","parameters":{"type":"object"}}],"#
                + #""tool_choice":{"type":"function","function":{"name":"\#(longest)"}}"#
        )
        let chatOptions = tools.chatOptions
        #expect(chatOptions.tools.map(\.name) == ["f-_9", longest] && chatOptions.tools[0].isStrict == true)
        #expect(chatOptions.tools[1].schema?.bytes.text == #"{"type":"object"}"#)
        #expect(chatOptions.toolChoice == .named(longest) && tools.needs.isSuperset(of: [.tools, .toolChoice]))
        let legacy = try call(#""model":"m",\#(messages),"functions":[{"name":"f"}],"function_call":{"name":"f"}"#)
        #expect(legacy.chatOptions.toolChoice == .named("f") && legacy.chatOptions.tools.first?.isLegacy == true)
        let format = try call(
            #""model":"m",\#(messages),"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}"#
        )
        guard case .schema("a", let schema?, nil) = format.chatOptions.format else {
            Issue.record("no schema")
            return
        }
        #expect(schema.bytes.text == "{}")
    }
}
