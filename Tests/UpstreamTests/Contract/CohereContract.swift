import Engine
import Shared

@testable import Upstream

/// Version 2 of Cohere's Chat API.
struct CohereContract: VendorContract {
    let model = "command-a-03-2025"
    let begunEvents = 3
    let spareEvents = 1
    let neededFields: Set<String> = ["message", "delta", "type", "tool_calls", "function", "name"]
    let oddName = "file-read"
    let optionalFields = ["temperature", "seed", "presence_penalty", "k"]
    let lacks: [ContractTopic: String] = [
        .repeatedUsage: "only the last event has the usage", .nativeChoices: "a request has no `n`",
    ]
    let errorInside = (body: #"{"code":429,"message":"Busy."}"#, kind: UpstreamError.Kind.rateLimited)
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("COMPLETE", .stop), ("STOP_SEQUENCE", .stop), ("MAX_TOKENS", .length), ("ERROR_TOXIC", .contentFilter),
        ("ERROR", nil), ("ERROR_LIMIT", nil), ("TIMEOUT", nil), ("ODD", .stop),
    ]
    let listBody = #"{"models":[{"name":"a"},{"name":"b"}]}"#

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        Cohere(site(), transport, quirks: QuirkMemory(), tools: tools)
    }

    func list(_ transport: any Transport) -> (any ModelList)? { Cohere.list(site(), transport, keys: ["k"]) }

    func error(_ status: Int, _ message: String) -> String { #"{"id":"1","message":\#(message.quoted)}"# }

    private func end(_ said: SaidResponse) -> String {
        let word = said.finish ?? (said.calls.isEmpty ? "COMPLETE" : "TOOL_CALL")
        let usage = said.usage.last.map { #","usage":{"tokens":{"input_tokens":\#($0),"output_tokens":\#($1)}}"# } ?? ""
        return #""finish_reason":"\#(word)"\#(usage)"#
    }

    func whole(_ said: SaidResponse) -> String {
        let reasoning = said.reasoning.map { #"{"type":"thinking","thinking":\#($0.quoted)},"# } ?? ""
        let calls = said.calls.map {
            #"{"id":\#($0.id.quoted),"type":"function","function":{"name":\#($0.name.quoted),"arguments":\#($0.arguments.quoted)}}"#
        }
        let list = calls.isEmpty ? "" : #","tool_calls":[\#(calls.joined(separator: ","))]"#
        let content = #"[\#(reasoning){"type":"text","text":\#(said.text.quoted)}]"#
        return #"{"id":"1",\#(end(said)),"message":{"role":"assistant","content":\#(content)\#(list)}}"#
    }

    func events(_ said: SaidResponse) -> [String] {
        func event(_ type: String, _ message: String? = nil) -> String {
            let delta = message.map { #","delta":{"message":{\#($0)}}"# } ?? ""
            return #"{"type":"\#(type)"\#(delta)}"#.event(type)
        }
        var events = [event("message-start", #""role":"assistant","content":[],"tool_plan":"","tool_calls":[]"#)]
        for (kind, texts) in [("thinking", said.reasoning.map { [$0] } ?? []), ("text", said.texts)]
        where !texts.isEmpty {
            events.append(event("content-start", #""content":{"type":"\#(kind)","\#(kind)":""}"#))
            events += texts.map { event("content-delta", #""content":{"\#(kind)":\#($0.quoted)}"#) }
            events.append(event("content-end"))
        }
        for call in said.calls {
            let function = #"{"name":\#(call.name.quoted),"arguments":""}"#
            events.append(
                event(
                    "tool-call-start",
                    #""tool_calls":{"id":\#(call.id.quoted),"type":"function","function":\#(function)}"#
                )
            )
            events += call.pieces.map {
                event("tool-call-delta", #""tool_calls":{"function":{"arguments":\#($0.quoted)}}"#)
            }
            events.append(event("tool-call-end"))
        }
        return events + [#"{"type":"message-end","delta":{\#(end(said))}}"#.event("message-end"), "[DONE]".event()]
    }
}
