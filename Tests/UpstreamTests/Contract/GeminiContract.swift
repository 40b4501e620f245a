import Engine
import Shared

@testable import Upstream

/// Google's Gemini models, at the Gemini API or at Vertex AI.
struct GeminiContract: VendorContract {
    let isVertex: Bool
    let model = "gemini-2.5-flash"
    let begunEvents = 1
    let spareEvents = 0
    let neededFields: Set<String> = ["candidates", "content", "parts", "functionCall", "name", "finishReason", "index"]
    let hidesReasoning = true
    let seals = ["gemini.c2ln"]
    let oddName = "1 file/read"
    let optionalFields = ["temperature", "topP", "seed", "topK"].map { "generationConfig.\($0)" }
    let errorInside = (
        body: #"{"error":{"code":429,"message":"Busy.","status":"RESOURCE_EXHAUSTED"}}"#,
        kind: UpstreamError.Kind.rateLimited
    )
    let finishes: [(word: String, reason: FinishReason?)] = [
        ("STOP", .stop), ("MAX_TOKENS", .length), ("SAFETY", .contentFilter), ("RECITATION", .contentFilter),
        ("SPII", .contentFilter), ("MALFORMED_FUNCTION_CALL", nil), ("OTHER", nil), ("ODD", .stop),
        ("CONTINUATION", .length), ("BLOCKLIST", .contentFilter), ("PROHIBITED_CONTENT", .contentFilter),
        ("LANGUAGE", .contentFilter), ("IMAGE_SAFETY", .contentFilter), ("IMAGE_PROHIBITED_CONTENT", .contentFilter),
        ("IMAGE_RECITATION", .contentFilter), ("MODEL_ARMOR", .contentFilter), ("ESCALATION", .contentFilter),
    ]
    let listBody =
        #"{"models":[{"name":"models/a","supportedGenerationMethods":["generateContent"]},"#
        + #"{"name":"models/b","supportedGenerationMethods":["generateContent"]},{"name":"models/c"}]}"#

    var lacks: [ContractTopic: String] {
        let all: [ContractTopic: String] = [
            .nativeChoices: "the relay sends no `candidateCount`", .callPieces: "a tool call is one part",
        ]
        return isVertex ? all.merging([.list: "Vertex AI has no list of models"]) { $1 } : all
    }

    func vendor(_ transport: any Transport, _ tools: LoopTools) -> (any ChatVendor)? {
        let memory = ToolCallMemory(.signature, MemoryBudget(bytes: 8 << 20), state: nil)
        guard isVertex else {
            return Gemini(site(), transport, quirks: QuirkMemory(), signatures: memory, tools: tools)
        }
        return Vertex(
            .google,
            vertexSite(site()),
            transport: transport,
            quirks: QuirkMemory(),
            memory: memory,
            tools: tools
        )
    }

    func list(_ transport: any Transport) -> (any ModelList)? {
        isVertex ? nil : Gemini.list(site(), transport, keys: ["k"])
    }

    func error(_ status: Int, _ message: String) -> String {
        let word = status == 404 ? "NOT_FOUND" : "INVALID_ARGUMENT"
        return #"{"error":{"code":\#(status),"message":\#(message.quoted),"status":"\#(word)"}}"#
    }

    private func usage(_ report: (String, String)) -> String {
        #","usageMetadata":{"promptTokenCount":\#(report.0),"candidatesTokenCount":\#(report.1)}"#
    }

    private func parts(_ said: SaidResponse) -> [String] {
        var parts: [String] = []
        if let reasoning = said.reasoning { parts.append(#"{"text":\#(reasoning.quoted),"thought":true}"#) }
        parts += said.texts.map { #"{"text":\#($0.quoted)}"# }
        if let signature = said.signature { parts.append(#"{"text":"","thoughtSignature":\#(signature.quoted)}"#) }
        return parts
            + said.calls.map {
                #"{"functionCall":{"id":\#($0.id.quoted),"name":\#($0.name.quoted),"args":\#($0.arguments)}}"#
            }
    }

    private func response(_ parts: [String], finish: String?, usage: String) -> String {
        let word = finish.map { #","finishReason":"\#($0)""# } ?? ""
        let content = #"{"role":"model","parts":[\#(parts.joined(separator: ","))]}"#
        return #"{"candidates":[{"content":\#(content),"index":0\#(word)}]\#(usage)}"#
    }

    func whole(_ said: SaidResponse) -> String {
        response(parts(said), finish: said.finish ?? "STOP", usage: said.usage.last.map(usage) ?? "")
    }

    func events(_ said: SaidResponse) -> [String] {
        let (parts, last) = (parts(said), said.usage.last.map(usage) ?? "")
        let earlier = said.usage.dropLast().map(usage).last ?? ""
        return parts.enumerated().map { index, part in
            let isLast = index == parts.count - 1
            return response([part], finish: isLast ? said.finish ?? "STOP" : nil, usage: isLast ? last : earlier)
                .event()
        }
    }
}
