import Calls
import Engine
import Shared

extension ChatCall {
    private static let toolNameBytes = 128

    /// Reads `tools` and `tool_choice` into `chatOptions`.
    ///
    /// - Parameter isSaid: becomes true if an option is set in `chatOptions`.
    mutating func readMessageTools(
        _ fields: RequestFields,
        _ chatOptions: inout ChatOptions,
        _ isSaid: inout Bool
    ) throws(APIError) {
        var count = 0
        var marks: [ChatOptions.CacheBreakpoint] = []
        var names: Set<[UInt8]> = []
        for value in try fields.array("tools") ?? JSONElements() {
            let param = "tools[\(count)]"
            count += 1
            guard let tool = try tool(ofMessage: value, param) else { continue }
            guard names.insert(Array(tool.name.utf8)).inserted else {
                throw .value("\(param).name", "another tool has this name")
            }
            if let mark = ChatOptions.CacheBreakpoint(.tool(chatOptions.tools.count), of: value) { marks.append(mark) }
            chatOptions.tools.append(tool)
        }
        chatOptions.cacheBreakpoints.insert(contentsOf: marks, at: 0)
        if let choice = try fields.object("tool_choice") {
            chatOptions.toolChoice = try Self.toolChoice(ofMessage: choice, chatOptions.tools)
            if try choice.flag("disable_parallel_tool_use", "tool_choice") ?? false {
                chatOptions.parallelToolCalls = false
            }
            guard count > 0 || chatOptions.toolChoice == .none || chatOptions.toolChoice == .auto else {
                throw .value("tool_choice", "is only allowed when 'tools' are given")
            }
            isSaid = true
        }
        guard !chatOptions.tools.isEmpty else { return }
        isSaid = true
        guard chatOptions.toolChoice != .none else { return }
        needs.insert(.tools)
        if chatOptions.toolChoice != .auto { needs.insert([.toolChoice, .demands]) }
    }

    /// Reads one element of `tools`. Returns nil for the web search tool, and sets the call's `webSearch` instead.
    private mutating func tool(ofMessage value: JSONValue, _ param: String) throws(APIError) -> ChatOptions.Tool? {
        guard value.kind == .object else { throw .type(param, "an object") }
        if let type = value.member("type") {
            guard let type = type.text else { throw .type("\(param).type", "a string") }
            if type.hasPrefix("web_search_") {
                for name: StaticString in ["allowed_domains", "blocked_domains"] where value.member(name) != nil {
                    throw .value(
                        "\(param).\(name)",
                        "restricting the search to domains is not supported",
                        code: "unsupported_value"
                    )
                }
                webSearch = .usual
                return nil
            }
            guard type.equals("custom") else {
                throw .value("\(param).type", "this type is not supported", code: "unsupported_value")
            }
        }
        let name = try value.toolName(param, limitBytes: Self.toolNameBytes)
        guard let schema = try value.object("input_schema", param) else { throw .missing("\(param).input_schema") }
        return ChatOptions.Tool(
            .function,
            name: name,
            description: try value.string("description", param),
            schema: schema.body,
            isStrict: try value.flag("strict", param)
        )
    }

    private static func toolChoice(
        ofMessage choice: JSONValue,
        _ tools: [ChatOptions.Tool]
    ) throws(APIError) -> ChatOptions.ToolChoice {
        guard let type = choice.member("type") else { throw .missing("tool_choice.type") }
        switch type.text {
        case "auto": return .auto
        case "any": return .required
        case "none": return .none
        case "tool": break
        case nil: throw .type("tool_choice.type", "a string")
        default: throw .value("tool_choice.type", "must be auto, any, tool or none")
        }
        let name = try choice.toolName("tool_choice", limitBytes: toolNameBytes)
        guard tools.contains(where: { $0.name == name }) else {
            throw .value("tool_choice.name", "'tools' has no tool of this name")
        }
        return .named(name)
    }
}
