import Engine
import Shared
import Upstream

/// The surface of `POST /v1/completions`, OpenAI's legacy API that continues a text.
struct Completions: ChatSurface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        OpenAIChat().append(error, isMidStream: isMidStream, to: &body)
    }

    func read(_ root: JSONValue, defaultModel: String?) throws(APIError) -> ChatRequest {
        let fields = try RequestFields(root)
        let call = try ChatCall(completing: fields, defaultModel: defaultModel)
        let isEchoed = try fields.flag("echo") ?? false
        let prompts = isEchoed ? call.messages.map(\.text) : []
        return ChatRequest(call, TextCompletion(prompts: prompts, choices: call.choices))
    }
}
