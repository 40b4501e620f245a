import Engine
import Shared
import Upstream

extension ChatCall {
    private static let toolNameBytes = 128

    /// Reads `tools` and `tool_choice` into `given`.
    mutating func readMessageTools(
        _ fields: RequestFields,
        _ given: inout GivenOptions,
        _ reading: inout MessageReading
    ) throws(APIError) {
        var count = 0
        var marks: [ChatOptions.CacheBreakpoint] = []
        var names = Set<String>(minimumCapacity: fields["tools"]?.count ?? 0)
        for value in try fields.array("tools") ?? JSONElements() {
            count += 1
            let tool: ChatOptions.Tool
            do throws(APIError) {
                guard let read = try Self.tool(ofMessage: value, count - 1, &given.options) else { continue }
                guard names.insert(read.name).inserted else {
                    throw .value("tools[\(count - 1)].name", "another tool has this name")
                }
                tool = read
            } catch {
                try reading.tolerate(error)
                tool = ChatOptions.Tool(.function, name: "", description: nil, schema: value.body, isStrict: nil)
            }
            if let mark = ChatOptions.CacheBreakpoint(.tool(given.options.tools.count), of: value) {
                marks.append(mark)
            }
            given.options.tools.append(tool)
        }
        given.options.cacheBreakpoints.insert(contentsOf: marks, at: 0)
        var isSearch = false
        if let choice = try fields.object("tool_choice") {
            isSearch =
                choice["type"]?.text == "tool" && choice["name"]?.text == "web_search"
                && given.options.searchTool != nil
            try reading.tolerating { [isSearch] () throws(APIError) in
                if !isSearch { given.options.toolChoice = try Self.toolChoice(ofMessage: choice, given.options.tools) }
                if try choice.flag("disable_parallel_tool_use", "tool_choice") ?? false {
                    given.options.parallelToolCalls = false
                }
                guard count > 0 || given.options.toolChoice == .none || given.options.toolChoice == .auto else {
                    throw .value("tool_choice", "is only allowed when 'tools' are given")
                }
            }
            given.hasAny = true
        }
        given.hasAny = given.hasAny || !given.options.ignored.isEmpty || given.options.searchTool != nil
        settleSearch(&given.options, isForced: isSearch)
        guard !given.options.tools.isEmpty else {
            guard count == 0 || given.options.searchTool != nil || given.options.toolChoice == .none else {
                let why = "this type is not supported as the only tool"
                return try reading.tolerate(.unsupportedValue("tools[0].type", why))
            }
            return
        }
        given.hasAny = true
        needTools(by: given.options.toolChoice)
    }

    /// The beginnings of the types of Anthropic's own tools, which other vendors do not have.
    private static let serverTools: [StaticString] = [
        "code_execution", "computer", "bash", "text_editor", "memory", "web_fetch", "tool_search", "advisor", "browser",
        "mcp_toolset",
    ]

    private static let serverToolBytes = 64

    /// Returns the name of a tool of Anthropic's own. Any type that ends in a date, such as `agent_toolset_20260401`, is
    /// one of these. Returns nil for other types.
    private static func serverTool(ofType type: UnsafeRawBufferPointer) -> String? {
        if let known = serverTools.first(where: { type.hasPrefix($0) }) { return "\(known)" }
        let end = type.count - 9
        guard end > 0, type.count <= serverToolBytes, type[end] == UInt8(ascii: "_"),
            type[(end + 1)...].allSatisfy({ (48...57).contains($0) }),
            type[..<end].allSatisfy({ $0 == UInt8(ascii: "_") || (48...57).contains($0) || (97...122).contains($0) })
        else { return nil }
        return type[part: 0..<end].text
    }

    /// Reads one element of `tools`. Returns nil for tools of Anthropic's own, and records them in `chatOptions`
    /// instead.
    private static func tool(
        ofMessage value: JSONValue,
        _ index: Int,
        _ chatOptions: inout ChatOptions
    ) throws(APIError) -> ChatOptions.Tool? {
        var param: String { "tools[\(index)]" }
        guard value.kind == .object else { throw .type(param, "an object") }
        if let type = value["type"] {
            guard let type = type.text else { throw .type("\(param).type", "a string") }
            if type.hasPrefix("web_search_") {
                chatOptions.searchTool = ChatOptions.SearchTool(index: index)
                chatOptions.searchOptions = try [SearchOption](tool: value, param)
                return nil
            }
            if let name = Self.serverTool(ofType: type) {
                chatOptions.ignore(name)
                if type.hasPrefix("advisor"), let model = value["model"]?.string {
                    let uses = value["max_uses"]?.integer.flatMap { Int(exactly: $0) } ?? 1
                    chatOptions.advisors.append(.init(model: model, uses: min(max(1, uses), 100)))
                }
                return nil
            }
            guard type.equals("custom") else { throw .unsupportedValue("\(param).type", "this type is not supported") }
        }
        if value.has("defer_loading") { chatOptions.ignore("defer_loading") }
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
        switch try choice.requiredText("type", "tool_choice") {
        case "auto": return .auto
        case "any": return .required
        case "none": return .none
        case "tool": break
        default: throw .value("tool_choice.type", "must be auto, any, tool or none")
        }
        let name = try choice.toolName("tool_choice", limitBytes: toolNameBytes)
        guard tools.contains(where: { $0.name == name }) else {
            throw .value("tool_choice.name", "'tools' has no function of this name; other tools are left out")
        }
        return .named(name)
    }
}
