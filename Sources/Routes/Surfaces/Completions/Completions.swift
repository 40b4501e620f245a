import Engine
import Glibc
import Shared
import Upstream

/// The surface of `POST /v1/completions`, OpenAI's legacy API that continues a text.
struct Completions: ChatSurface {
    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        let fields = try RequestFields(root)
        let call = try ChatCall(completing: fields, defaultModel: defaultModel)
        let isEchoed = try fields.flag("echo") ?? false
        let prompts = isEchoed ? call.messages.map(\.text) : []
        return ChatRequest(call, TextCompletion(prompts: prompts, choices: call.choices))
    }
}

/// A formatter of the response to a legacy completion request, complete or streamed.
struct TextCompletion: ChatResponseFormatter {
    /// The prompts to repeat before the generated text; empty if the request does not set `echo`.
    let prompts: [String]
    /// The number of choices in the response, over all prompts.
    let choices: Int

    /// Returns the prompt to repeat before this choice's text; nil if the request does not set `echo`.
    func prompt(ofChoice index: Int) -> String? {
        guard choices > 0, case let promptIndex = index * prompts.count / choices, prompts.indices.contains(promptIndex)
        else {
            return nil
        }
        return prompts[promptIndex]
    }

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        TextChunks(self, wanted, exchange: exchange)
    }

    /// Appends the first members of a completion's JSON, up to `choices`.
    static func append(beginning model: String, _ exchange: Exchange, to body: inout ByteBuffer) {
        body.append(#"{"id":""#)
        exchange.gateway.ids.appendID("cmpl-", into: &body)
        body.append(#"","object":"text_completion","created":"#, decimal: time(nil))
        body.append(#","model":"#, json: model)
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        let echoed = (0..<choices).reduce(0) { $0 + (prompt(ofChoice: $1)?.utf8.count ?? 0) }
        let length = response.choices.reduce(512 + echoed) { $0 + $1.bytes + 128 }
        var body = ByteBuffer()
        Self.append(beginning: wanted.model, exchange, to: &body)
        try await exchange.send(body, ofBytes: length) { append(response, to: &$0) }
    }

    private func append(_ response: ChatResponse, to body: inout ByteBuffer) {
        body.append(#","choices":["#)
        for (index, choice) in response.choices.enumerated() {
            body.append(index == 0 ? #"{"text":""# : #",{"text":""#)
            if let prompt = prompt(ofChoice: index) { body.append(jsonContent: prompt) }
            for text in [choice.text, choice.refusal] {
                if let text { body.append(jsonContent: text.bytes) }
            }
            body.append(#"","index":"#, decimal: index)
            body.append(#","logprobs":null,"finish_reason":""#, choice.finish.nameOfText, #""}"#)
        }
        body.append(#"],"usage":"#)
        (response.usage ?? .nothing).appendJSON(to: &body)
        body.append("}")
    }
}

extension FinishReason {
    /// The value of `finish_reason` in legacy completions. These have no tool calls, so `toolCalls` becomes `stop`.
    var nameOfText: StaticString { self == .toolCalls ? "stop" : name(isOld: false) }
}
