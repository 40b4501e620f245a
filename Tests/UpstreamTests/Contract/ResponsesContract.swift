import Engine
import Shared

@testable import Upstream

/// OpenAI's Responses API.
struct ResponsesContract: VendorContract {
    let model = "gpt-4o"
    let url = "https://api.openai.com/v1"
    let begunEvents = 3
    let spareEvents = 0
    let neededFields: Set<String> = ["output", "response", "type", "name"]
    let hidesReasoning = true
    let seals = ["rs_1.c2ln", "sealed rs_2.c2VhbA=="]
    let oddName = String(repeating: "long_name_", count: 9)
    let optionalFields = ["temperature", "top_p", "user", "prompt_cache_key"]
    let lacks: [ContractTopic: String] = [
        .repeatedUsage: "only the last event has the usage", .nativeChoices: "a request has no `n`",
    ]
    let errorInside = OpenAIContract().errorInside
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("completed", .stop), ("max_output_tokens", .length), ("content_filter", .contentFilter), ("odd", .length),
        ("failed", nil), ("cancelled", nil),
    ]

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        OpenAILike(site(chatsBy: .responses), transport, quirks: QuirkMemory(), reasoningBlocks: nil, tools: tools)
    }

    func list(_ transport: any Transport) -> (any ModelList)? { OpenAILike.list(site(), transport, keys: ["k"]) }

    func error(_ status: Int, _ message: String) -> String { OpenAIContract().error(status, message) }

    /// Returns the output items with their content.
    private func items(_ said: SaidResponse) -> [String] {
        var items: [String] = []
        if let reasoning = said.reasoning {
            let signature = said.signature.map { #","encrypted_content":\#($0.quoted)"# } ?? ""
            let summary = #"[{"type":"summary_text","text":\#(reasoning.quoted)}]"#
            items.append(#"{"type":"reasoning","id":"rs_1","summary":\#(summary)\#(signature)}"#)
        }
        if let sealed = said.sealed {
            items.append(#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":\#(sealed.quoted)}"#)
        }
        if !said.text.isEmpty {
            let content = #"[{"type":"output_text","text":\#(said.text.quoted),"annotations":[]}]"#
            items.append(#"{"type":"message","id":"msg_1","role":"assistant","content":\#(content)}"#)
        }
        return items
            + said.calls.map {
                #"{"type":"function_call","call_id":\#($0.id.quoted),"name":\#($0.name.quoted),"arguments":\#($0.arguments.quoted)}"#
            }
    }

    private func response(_ said: SaidResponse, _ output: [String]) -> String {
        var members = #""id":"resp_1","output":[\#(output.joined(separator: ","))]"#
        switch said.finish {
        case let word? where ["completed", "failed", "cancelled"].contains(word): members += #","status":"\#(word)""#
        case let word?: members += #","status":"incomplete","incomplete_details":{"reason":"\#(word)"}"#
        case nil: members += #","status":"completed""#
        }
        if let (prompt, completion) = said.usage.last {
            members += #","usage":{"input_tokens":\#(prompt),"output_tokens":\#(completion)}"#
        }
        return "{\(members)}"
    }

    func whole(_ said: SaidResponse) -> String { response(said, items(said)) }

    func events(_ said: SaidResponse) -> [String] {
        var events: [String] = []
        func add(_ type: String, _ members: String) {
            events.append(#"{"type":"response.\#(type)",\#(members)}"#.event("response.\(type)"))
        }
        add("created", #""response":{"id":"resp_1","status":"in_progress","output":[],"usage":null}"#)
        let items = items(said)
        for (index, item) in items.enumerated() {
            let place = #""output_index":\#(index)"#
            if item.hasPrefix(#"{"type":"reasoning","id":"rs_1""#), let reasoning = said.reasoning {
                add("reasoning_summary_text.delta", #"\#(place),"summary_index":0,"delta":\#(reasoning.quoted)"#)
            } else if item.hasPrefix(#"{"type":"message""#) {
                add("output_item.added", #"\#(place),"item":{"type":"message","role":"assistant","content":[]}"#)
                for text in said.texts { add("output_text.delta", #"\#(place),"delta":\#(text.quoted)"#) }
            } else if item.hasPrefix(#"{"type":"function_call""#) {
                let call = said.calls[index - items.count + said.calls.count]
                let opening = #""type":"function_call","call_id":\#(call.id.quoted),"name":\#(call.name.quoted)"#
                add("output_item.added", #"\#(place),"item":{\#(opening),"arguments":""}"#)
                for piece in call.pieces {
                    add("function_call_arguments.delta", #"\#(place),"delta":\#(piece.quoted)"#)
                }
            }
            add("output_item.done", #"\#(place),"item":\#(item)"#)
        }
        let end =
            ["failed", "cancelled"].contains(said.finish)
            ? said.finish : said.finish.map { $0 == "completed" ? $0 : "incomplete" }
        add(end ?? "completed", #""response":\#(response(said, items))"#)
        return events
    }
}
