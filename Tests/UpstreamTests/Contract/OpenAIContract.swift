import Engine
import Shared

@testable import Upstream

/// OpenAI's chat completions API.
struct OpenAIContract: VendorContract {
    let model = "gpt-4o"
    let url = "https://api.openai.com/v1"
    let begunEvents = 1
    let spareEvents = 2
    let neededFields: Set<String> = ["choices", "index", "message", "delta", "tool_calls", "function", "name"]
    let oddName = String(repeating: "long_name_", count: 9)
    let optionalFields = ["temperature", "top_p", "seed", "presence_penalty"]
    let lacks: [ContractTopic: String] = [:]
    let errorInside = (
        body: #"{"error":{"message":"Busy.","code":"rate_limit_exceeded"}}"#, kind: UpstreamError.Kind.rateLimited
    )
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("stop", .stop), ("eos", .stop), ("length", .length), ("model_length", .length),
        ("content_filter", .contentFilter), ("error", nil), ("insufficient_system_resource", nil), ("odd", .stop),
    ]

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        OpenAILike(site(chatsBy: .chat), transport, quirks: QuirkMemory(), reasoningBlocks: nil, tools: tools)
    }

    func list(_ transport: any Transport) -> (any ModelList)? { OpenAILike.list(site(), transport, keys: ["k"]) }

    func error(_ status: Int, _ message: String) -> String {
        #"{"error":{"message":\#(message.quoted),"type":"api_error","code":null}}"#
    }

    func whole(_ said: SaidResponse) -> String { Self.whole(said) }

    func events(_ said: SaidResponse) -> [String] { Self.events(said) }

    // MARK: The bytes, also of servers with the same API

    private static func usage(_ report: (String, String)) -> String {
        #""usage":{"prompt_tokens":\#(report.0),"completion_tokens":\#(report.1)}"#
    }

    private static func finish(_ said: SaidResponse) -> String {
        said.finish ?? (said.calls.isEmpty ? "stop" : "tool_calls")
    }

    static func whole(_ said: SaidResponse) -> String {
        let calls = said.calls.map {
            #"{"id":\#($0.id.quoted),"type":"function","function":{"name":\#($0.name.quoted),"arguments":\#($0.arguments.quoted)}}"#
        }
        var message = #""role":"assistant","content":\#(said.text.quoted)"#
        if let reasoning = said.reasoning { message += #","reasoning_content":\#(reasoning.quoted)"# }
        if !calls.isEmpty { message += #","tool_calls":[\#(calls.joined(separator: ","))]"# }
        let choices = (0..<said.choices).map {
            #"{"index":\#($0),"message":{\#(message)},"finish_reason":\#(finish(said).quoted)}"#
        }
        let last = said.usage.last.map { "," + usage($0) } ?? ""
        return #"{"id":"c","created":5,"model":"m","choices":[\#(choices.joined(separator: ","))]\#(last)}"#
    }

    static func events(_ said: SaidResponse) -> [String] {
        func chunk(_ delta: String, _ choice: Int, finish: String = "null") -> String {
            #"{"id":"c","created":5,"choices":[{"index":\#(choice),"delta":{\#(delta)},"finish_reason":\#(finish)}]}"#
                .event()
        }
        var events: [String] = []
        for choice in 0..<said.choices {
            events.append(chunk(#""role":"assistant","content":"""#, choice))
            if let reasoning = said.reasoning {
                events.append(chunk(#""reasoning_content":\#(reasoning.quoted)"#, choice))
            }
            events += said.texts.map { chunk(#""content":\#($0.quoted)"#, choice) }
            for (index, call) in said.calls.enumerated() {
                let function = #""function":{"name":\#(call.name.quoted),"arguments":"""#
                events.append(
                    chunk(
                        #""tool_calls":[{"index":\#(index),"id":\#(call.id.quoted),"type":"function",\#(function)}}]"#,
                        choice
                    )
                )
                events += call.pieces.map {
                    chunk(#""tool_calls":[{"index":\#(index),"function":{"arguments":\#($0.quoted)}}]"#, choice)
                }
            }
            events.append(chunk("", choice, finish: finish(said).quoted))
        }
        events += said.usage.map { #"{"id":"c","choices":[],\#(usage($0))}"#.event() }
        return events + ["[DONE]".event()]
    }
}
