import Engine
import Shared
import Upstream

/// The surface of OpenAI's endpoints: it reads chat completion requests and writes errors in OpenAI's form.
struct OpenAIChat: ChatSurface {
    let wire: Wire? = .chat

    /// Appends an error in OpenAI's form, always with the members `message`, `type`, `param` and `code`.
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        if isMidStream { body.append("data: ") }
        error.appendJSON(to: &body)
        if isMidStream { body.append("\n\n") }
    }

    func read(_ root: JSONValue, defaultModel: String?) throws(APIError) -> ChatRequest {
        try read(root, defaultModel: defaultModel, .whole)
    }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        do throws(APIError) {
            let call = try ChatCall(root, defaultModel: defaultModel, reading)
            return ChatRequest(call, ChatCompletion(names: ToolNames(customOf: root, ifCalledBy: call)))
        } catch {
            // Some clients send a body of the Responses API and expect a chat completion.
            guard error.param?.isSame(as: "messages") ?? false, root.member("messages") == nil,
                root.member("input") != nil
            else { throw error }
            let call = try ChatCall(ofResponse: root, defaultModel: defaultModel)
            let formatter = ChatCompletion(names: ToolNames(customOf: root, ifCalledBy: call))
            return ChatRequest(call, formatter, isOfOtherAPI: true)
        }
    }
}
