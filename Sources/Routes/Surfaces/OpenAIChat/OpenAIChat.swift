import Engine
import Shared
import Upstream

/// The surface of OpenAI's endpoints: it reads chat completion requests and writes errors in OpenAI's form.
struct OpenAIChat: ChatSurface {
    let wire: Wire? = .chat

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        do throws(APIError) {
            let call = try ChatCall(root, defaultModel: defaultModel, reading)
            return ChatRequest(call, ChatCompletion(names: ToolNames(customOf: root, ifCalledBy: call)))
        } catch {
            // Some clients send a body of the Responses API and expect a chat completion.
            guard error.param?.isSame(as: "messages") ?? false, root["messages"] == nil,
                root["input"] != nil
            else { throw error }
            let call = try ChatCall(ofResponse: root, defaultModel: defaultModel)
            let formatter = ChatCompletion(names: ToolNames(customOf: root, ifCalledBy: call))
            return ChatRequest(call, formatter, isOfOtherAPI: true)
        }
    }
}

extension ChatCall {
    /// Reads the output format, `response_format`, into `given`.
    mutating func readFormat(_ fields: RequestFields, _ given: inout GivenOptions) throws(APIError) {
        guard let format = try fields.object("response_format") else { return }
        do throws(APIError) {
            given.options.format = try ChatOptions.Format(format, "response_format", inner: "json_schema")
        } catch {
            // Servers have types of their own, such as vLLM's structural_tag and Fireworks' grammar.
            guard error.param == "response_format.type", format["type"]?.text?.isEmpty == false else { throw error }
            (unreadError, mayLeaveOutTools) = (unreadError ?? error, false)
            return
        }
        if case .text = given.options.format { return }
        needs.insert(given.options.format.ability)
        given.hasAny = true
    }
}

extension ChatOptions.Format {
    /// Reads an output format of OpenAI's APIs.
    /// - Parameter inner: the member with the schema; nil if the format object itself has the schema.
    init(_ format: JSONValue, _ param: String, inner: StaticString?) throws(APIError) {
        switch try format.requiredText("type", param) {
        case "text": self = .text
        case "json_object": self = .object
        case "json_schema":
            let path = inner.map { "\(param).\($0)" } ?? param
            let value = try inner.map { (name) throws(APIError) in try format.object(name, param) } ?? format
            guard let value else { throw .missing(path) }
            _ = try value.string("description", path)
            self = .schema(
                name: try value.toolName(path),
                schema: try value.object("schema", path)?.body,
                isStrict: try value.flag("strict", path)
            )
        default: throw .value("\(param).type", "must be text, json_object or json_schema")
        }
    }

    var ability: Abilities {
        switch self {
        case .text: []
        case .object: [.objects, .demands]
        case .schema(_, _, isStrict: true): [.schemas, .demands]
        case .schema: .schemas
        }
    }
}
