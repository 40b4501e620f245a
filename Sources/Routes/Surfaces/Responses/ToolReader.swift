import Engine
import Shared
import Upstream

/// A reader for tools of the Responses API: in `tools` and in input items.
struct ToolReader: Sendable {
    private(set) var tools: [ChatOptions.Tool] = []
    private(set) var names = ToolNames()
    /// The tool for web search; nil if the request has none.
    private(set) var searchTool: ChatOptions.SearchTool?
    private(set) var searchOptions: [SearchOption] = []
    /// The JSON objects of the tools, which the response repeats in its own member `tools`.
    private(set) var echo: [Body] = []
    private var usedNames: Set<[UInt8]> = []
    /// Whether tools and items that only the Responses API knows may go to a vendor with this API.
    let passesOwn: Bool
    private(set) var own = OwnParts()
    /// Whether the items are history of a request that has tools which the relay does not know.
    private let continuesOwn: Bool

    init(passesOwn: Bool = false, continuesOwn: Bool = false) {
        self.passesOwn = passesOwn
        self.continuesOwn = continuesOwn
    }

    /// Returns whether an item of this type goes on as it came although the relay knows the type. Calls of tools that
    /// the relay does not know go on so, and their results.
    func passesItem(_ type: UnsafeRawBufferPointer) -> Bool {
        (continuesOwn || !own.tools.isEmpty) && Self.itemsOfOwnTools.contains { type.equals($0) }
    }

    private static let itemsOfOwnTools: [StaticString] = [
        "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call",
        "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
        "apply_patch_call_output", "program", "program_output",
    ]

    mutating func read(_ list: JSONElements, _ param: String) throws(APIError) {
        for (index, tool) in list.enumerated() {
            try read(tool, index, "\(param)[\(index)]")
        }
    }

    private mutating func read(_ value: JSONValue, _ index: Int, _ param: String) throws(APIError) {
        guard value.kind == .object else { throw .type(param, "an object") }
        switch try value.requiredText("type", param) {
        case "function":
            let tool = try Self.function(value, param)
            echo.append(Self.echo(tool))
            add(tool, ToolNames.Name(tool.name))
        case "custom":
            let tool = try ChatOptions.Tool(custom: value, param)
            echo.append(value.body)
            add(tool, ToolNames.Name(tool.name, isCustom: true))
        case "namespace":
            echo.append(value.body)
            try readSpace(value, param)
        case "web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11":
            echo.append(value.body)
            try readSearch(value, index, param)
        // All tools are given to the model at once, so it has nothing to search for.
        case "tool_search": echo.append(value.body)
        default:
            let refusal = APIError.unsupportedValue("\(param).type", "this type is not supported")
            guard passesOwn else { throw refusal }
            own.refusal = own.refusal ?? refusal
            own.tools.append(OwnParts.Tool(toolsBefore: tools.count, json: value.body))
            echo.append(value.body)
        }
    }

    /// Adds a tool. Does nothing if a tool with this name was already added.
    private mutating func add(_ tool: ChatOptions.Tool, _ name: ToolNames.Name) {
        guard usedNames.insert(Array(tool.name.utf8)).inserted else { return }
        tools.append(tool)
        names.add(name, offeredAs: tool.name)
    }

    private mutating func readSpace(_ value: JSONValue, _ param: String) throws(APIError) {
        let space = try value.toolName(param)
        guard let list = value["tools"]?.elements else { throw .missing("\(param).tools") }
        for (index, tool) in list.enumerated() {
            let param = "\(param).tools[\(index)]"
            guard tool.kind == .object else { throw .type(param, "an object") }
            let isCustom = tool["type"]?.text == "custom"
            guard isCustom || tool["type"]?.text == "function" else {
                throw .unsupportedValue("\(param).type", "must be function or custom")
            }
            let read = isCustom ? try ChatOptions.Tool(custom: tool, param) : try Self.function(tool, param)
            add(
                read.renamed(ToolNames.offered(read.name, in: space)),
                ToolNames.Name(read.name, space, isCustom: isCustom)
            )
        }
    }

    /// Reads a tool for web search. Of several such tools, the first one counts.
    private mutating func readSearch(_ value: JSONValue, _ index: Int, _ param: String) throws(APIError) {
        let search = try ChatCall.WebSearch(value, param)
        // Vendors search the live web, so `external_web_access: false` means no search at all.
        guard try value.flag("external_web_access", param) ?? true, searchTool == nil else { return }
        searchTool = ChatOptions.SearchTool(index: index, search)
        searchOptions = try [SearchOption](tool: value, param)
    }

    /// The longest name of a function in a request of the Responses API.
    static let nameBytes = 128

    private static func function(_ value: JSONValue, _ param: String) throws(APIError) -> ChatOptions.Tool {
        let (function, param) = value["name"] == nil ? try value.inner("function", param) : (value, param)
        return try ChatCall.function(function, param, nameBytes: Self.nameBytes)
    }

    private static func echo(_ tool: ChatOptions.Tool) -> Body {
        var text = ByteBuffer(#"{"type":"function","name":"#)
        text.append(json: tool.name)
        text.append(#","description":"#)
        text.append(jsonOrNull: tool.description)
        text.append(#","parameters":"#)
        if let schema = tool.schema { text.append(schema.bytes) } else { text.append("null") }
        text.append(#","strict":"#, tool.isStrict.map { $0 ? "true" : "false" } ?? "null", "}")
        return Body(text)
    }
}

extension ChatOptions.Tool {
    fileprivate func renamed(_ name: String) -> ChatOptions.Tool {
        ChatOptions.Tool(kind, name: name, description: description, schema: schema, isStrict: isStrict)
    }
}
