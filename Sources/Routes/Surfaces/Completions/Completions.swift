import Engine
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
