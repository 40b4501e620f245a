import Engine
import Shared

@testable import Upstream

/// Anthropic's Messages API, at Anthropic or at Vertex AI.
struct AnthropicContract: VendorContract {
    let isVertex: Bool
    let model = "claude-sonnet-4-5"
    let begunEvents = 3
    let spareEvents = 1
    let neededFields: Set<String> = ["content", "delta", "type", "name", "stop_reason"]
    let seals = ["c2ln", "sealed c2VhbA=="]
    let oddName = "files.read/all"
    let optionalFields = ["temperature", "metadata", "service_tier", "top_k"]
    let errorInside = (
        body: #"{"type":"error","error":{"type":"rate_limit_error","message":"Busy."}}"#,
        kind: UpstreamError.Kind.rateLimited
    )
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("end_turn", .stop), ("stop_sequence", .stop), ("max_tokens", .length),
        ("model_context_window_exceeded", .length), ("refusal", .refusal), ("odd", .stop),
    ]

    var lacks: [ContractTopic: String] {
        let all: [ContractTopic: String] = [.nativeChoices: "a request has no `n`"]
        return isVertex ? all.merging([.list: "Vertex AI has no list of models"]) { $1 } : all
    }

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        let memory = ToolCallMemory(.signature, MemoryBudget(bytes: 8 << 20), state: nil)
        guard isVertex else {
            return Anthropic(site(), transport, quirks: QuirkMemory(), reasoning: memory, tools: tools)
        }
        return Vertex(
            .anthropic,
            vertexSite(site()),
            transport: transport,
            quirks: QuirkMemory(),
            memory: memory,
            tools: tools
        )
    }

    func list(_ transport: any Transport) -> (any ModelList)? {
        isVertex ? nil : Anthropic.list(site(), transport, keys: ["k"])
    }

    func error(_ status: Int, _ message: String) -> String {
        #"{"type":"error","error":{"type":"\#(status == 404 ? "not_found_error" : "api_error")","message":\#(message.quoted)}}"#
    }

    private func usage(_ report: (String, String)) -> String {
        #""usage":{"input_tokens":\#(report.0),"output_tokens":\#(report.1)}"#
    }

    private func finish(_ said: SaidResponse) -> String {
        #""stop_reason":"\#(said.finish ?? (said.calls.isEmpty ? "end_turn" : "tool_use"))""#
    }

    /// Returns the content blocks: each as a whole, as it begins in a stream, and its deltas.
    private func blocks(_ said: SaidResponse) -> [(whole: String, opening: String, deltas: [String])] {
        var blocks: [(whole: String, opening: String, deltas: [String])] = []
        if let reasoning = said.reasoning {
            let signature = said.signature ?? ""
            blocks.append(
                (
                    #"{"type":"thinking","thinking":\#(reasoning.quoted),"signature":\#(signature.quoted)}"#,
                    #"{"type":"thinking","thinking":"","signature":""}"#,
                    [
                        #""type":"thinking_delta","thinking":\#(reasoning.quoted)"#,
                        #""type":"signature_delta","signature":\#(signature.quoted)"#,
                    ]
                )
            )
        }
        if let sealed = said.sealed {
            let block = #"{"type":"redacted_thinking","data":\#(sealed.quoted)}"#
            blocks.append((block, block, []))
        }
        if !said.text.isEmpty {
            let deltas = said.texts.map { #""type":"text_delta","text":\#($0.quoted)"# }
            blocks.append((#"{"type":"text","text":\#(said.text.quoted)}"#, #"{"type":"text","text":""}"#, deltas))
        }
        for call in said.calls {
            let opening = #"{"type":"tool_use","id":\#(call.id.quoted),"name":\#(call.name.quoted),"input":"#
            let deltas = call.pieces.map { #""type":"input_json_delta","partial_json":\#($0.quoted)"# }
            blocks.append((opening + call.arguments + "}", opening + "{}}", deltas))
        }
        return blocks
    }

    func whole(_ said: SaidResponse) -> String {
        let content = blocks(said).map(\.whole).joined(separator: ",")
        let last = said.usage.last.map { "," + usage($0) } ?? ""
        return #"{"type":"message","role":"assistant","content":[\#(content)],\#(finish(said))\#(last)}"#
    }

    func events(_ said: SaidResponse) -> [String] {
        func event(_ type: String, _ members: String = "") -> String {
            #"{"type":"\#(type)"\#(members)}"#.event(type)
        }
        let first = said.usage.first.map { #","message":{"type":"message",\#(usage(($0.0, "1")))}"# }
        var events = [event("message_start", first ?? #","message":{"type":"message"}"#)]
        for (index, block) in blocks(said).enumerated() {
            let place = #","index":\#(index)"#
            events.append(event("content_block_start", #"\#(place),"content_block":\#(block.opening)"#))
            events += block.deltas.map { event("content_block_delta", #"\#(place),"delta":{\#($0)}"#) }
            events.append(event("content_block_stop", place))
        }
        let earlier = said.usage.dropLast().map {
            event("message_delta", #","delta":{},"usage":{"output_tokens":\#($0.1)}"#)
        }
        let last = said.usage.last.map { #","usage":{"output_tokens":\#($0.1)}"# } ?? ""
        return events + earlier + [
            event("message_delta", #","delta":{\#(finish(said))}\#(last)"#), event("message_stop"),
        ]
    }
}
