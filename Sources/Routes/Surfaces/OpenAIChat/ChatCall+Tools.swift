import Engine
import Shared
import Upstream

extension ChatCall {
    /// Reads `tools`, `tool_choice` and `parallel_tool_calls` into `given`.
    mutating func readTools(
        _ fields: RequestFields,
        _ given: inout GivenOptions,
        _ reading: ToolReading
    ) throws(APIError) {
        var count = reading.checked
        let isPartUnread = unreadError != nil
        if count > 0 {
            Self.leaveTools(&given.options)
        } else if let list = try fields.array("tools") {
            // `tool_choice` may name one of the tools, and `functions` may add more.
            let areNeeded =
                list.contains { $0["type"]?.isSearchType ?? false } || fields["tool_choice"]?.kind == .object
                || fields["functions"] != nil || !reading.isPassedOn(model)
            count = areNeeded ? try read(list, &given.options) : try check(list, &given.options)
        }
        var isSearch = false
        mayLeaveOutTools = !isPartUnread && unreadError != nil && given.options.hasTools
        if let choice = fields["tool_choice"] {
            isSearch = given.options.searchTool != nil && choice.isSearchChoice
            if isSearch {
                given.options.toolChoice = .auto
            } else if unreadError != nil, let type = choice["type"]?.text, type != "function", type != "custom" {
                // The server decides about a choice among tools that the relay does not know.
                given.options.toolChoice = .auto
                mayLeaveOutTools = false
            } else if choice["type"]?.text == "allowed_tools" {
                try Self.readAllowed(choice, &given.options)
            } else {
                given.options.toolChoice = try Self.toolChoice(
                    choice,
                    choice.kind == .object ? given.options.tools : []
                )
            }
            guard count > 0 || given.options.toolChoice == .none || given.options.toolChoice == .auto else {
                throw .value("tool_choice", "is only allowed when 'tools' are given")
            }
            given.hasAny = true
        }
        try GivenOptions.set(&given.options.parallelToolCalls, fields.flag("parallel_tool_calls"), &given.hasAny)
        if given.options.searchTool != nil {
            given.hasAny = true
            settleSearch(&given.options, isForced: isSearch)
        }
        guard given.options.hasTools else { return }
        given.hasAny = true
        needTools(by: given.options.toolChoice)
    }

    /// Adds what a vendor must be able to do for the tools of the request.
    mutating func needTools(by choice: ChatOptions.ToolChoice) {
        guard choice != .none else { return }
        needs.insert(.tools)
        if choice != .auto { needs.insert([.toolChoice, .demands]) }
    }

    /// Reads all elements of `tools` into `chatOptions`: of several with one name the first. Returns the number of
    /// elements.
    private mutating func read(_ list: JSONElements, _ chatOptions: inout ChatOptions) throws(APIError) -> Int {
        var count = 0
        var names: Set<[UInt8]> = []
        for tool in list {
            try readSearch(tool, count, &chatOptions)
            if let read = try self.tool(tool, "tools[\(count)]"), names.insert(Array(read.name.utf8)).inserted {
                if let mark = ChatOptions.CacheBreakpoint(.tool(chatOptions.tools.count), of: tool) {
                    chatOptions.cacheBreakpoints.append(mark)
                }
                chatOptions.tools.append(read)
            }
            count += 1
        }
        return count
    }

    private func readSearch(_ tool: JSONValue, _ index: Int, _ chatOptions: inout ChatOptions) throws(APIError) {
        guard tool["type"]?.isSearchType ?? false else { return }
        let param = "tools[\(index)]"
        chatOptions.searchTool = ChatOptions.SearchTool(index: index, try WebSearch(tool, param))
        chatOptions.searchOptions = try [SearchOption](tool: tool, param)
    }

    /// Checks all elements of `tools` without parsing them completely. Returns the number of elements.
    private mutating func check(_ list: JSONElements, _ chatOptions: inout ChatOptions) throws(APIError) -> Int {
        var (count, offered) = (0, 0)
        for tool in list {
            if try check(tool, "tools[\(count)]") {
                if let mark = ChatOptions.CacheBreakpoint(.tool(offered), of: tool) {
                    chatOptions.cacheBreakpoints.append(mark)
                }
                offered += 1
            }
            count += 1
        }
        if offered > 0 { Self.leaveTools(&chatOptions) }
        return count
    }

    /// Leaves `tools` unread in the request body. `ChatOptions` parses the tools when they are needed.
    private static func leaveTools(_ chatOptions: inout ChatOptions) {
        chatOptions.leave(
            UnreadTools { request in
                var (call, tools) = (ChatCall(), ChatOptions())
                _ = JSONParser.read(request.bytes) { root in
                    if let list = root["tools"]?.elements { _ = try? call.read(list, &tools) }
                }
                return tools.tools
            }
        )
    }

    /// Checks one element of `tools`. Returns whether the element is a tool that the model may call.
    private mutating func check(_ value: JSONValue, _ param: String) throws(APIError) -> Bool {
        guard value.kind == .object, value["type"]?.text == "function" else {
            return try tool(value, param) != nil
        }
        let (function, param) = try value.inner("function", param)
        try function.checkToolName(param)
        if let text = function["description"], text.kind != .string {
            throw .type("\(param).description", "a string")
        }
        _ = try function.object("parameters", param)
        _ = try function.flag("strict", param)
        return true
    }

    /// Reads one element of `tools`. Returns nil for `retrieval` and `code_interpreter`, which set an option of the call
    /// instead, and for a type that the relay does not know.
    private mutating func tool(_ value: JSONValue, _ param: String) throws(APIError) -> ChatOptions.Tool? {
        guard value.kind == .object else { throw .type(param, "an object") }
        switch try value.requiredText("type", param) {
        case "retrieval":
            webSearch = .usual
            hasRelayTools = true
        case "code_interpreter":
            wantsCode = true
            hasRelayTools = true
        case "web_search", "web_search_preview", "google_search": hasRelayTools = true
        case "function":
            let (function, param) = try value.inner("function", param)
            return try Self.function(function, param)
        case "custom":
            let (custom, param) = try value.inner("custom", param)
            return try ChatOptions.Tool(custom: custom, param)
        // A server that gets the request as it came may know the type.
        default: unreadError = unreadError ?? .unsupportedValue("\(param).type", "this type is not supported")
        }
        return nil
    }

    static func function(
        _ value: JSONValue,
        _ param: String,
        isLegacy: Bool = false,
        nameBytes: Int = 64
    ) throws(APIError) -> ChatOptions.Tool {
        ChatOptions.Tool(
            .function,
            name: try value.toolName(param, limitBytes: nameBytes),
            description: try value.string("description", param),
            schema: try value.object("parameters", param)?.body,
            isStrict: try value.flag("strict", param),
            isLegacy: isLegacy
        )
    }

    private static func toolChoice(
        _ choice: JSONValue,
        _ tools: [ChatOptions.Tool]
    ) throws(APIError) -> ChatOptions.ToolChoice {
        // Mistral's word for it.
        if choice.text?.equals("any") ?? false { return .required }
        if let word = try ChatOptions.ToolChoice(word: choice, "tool_choice") { return word }
        let named: (value: JSONValue, param: String)
        switch try choice.requiredText("type", "tool_choice") {
        case "function": named = try choice.inner("function", "tool_choice")
        case "custom": named = try choice.inner("custom", "tool_choice")
        default: throw .unsupportedValue("tool_choice.type", "must be function or custom")
        }
        let name = try named.value.toolName(named.param)
        guard tools.contains(where: { $0.name == name }) else {
            throw .value("tool_choice", "'tools' has no tool of this name")
        }
        return .named(name)
    }

    /// Reads `tool_choice.allowed_tools` and removes all tools that it does not name.
    private static func readAllowed(_ choice: JSONValue, _ chatOptions: inout ChatOptions) throws(APIError) {
        let param = "tool_choice.allowed_tools"
        guard let value = try choice.object("allowed_tools", "tool_choice") else { throw .missing(param) }
        guard let list = value["tools"]?.elements else { throw .missing("\(param).tools") }
        // Names are compared as bytes, as in the Responses API.
        var allowed: Set<[UInt8]> = []
        let offered = Set(chatOptions.tools.map { Array($0.name.utf8) })
        for (index, tool) in list.enumerated() {
            let kind: StaticString = tool["type"]?.text == "custom" ? "custom" : "function"
            let (named, param) = try tool.inner(kind, "\(param).tools[\(index)]")
            let name = Array(try named.toolName(param).utf8)
            guard offered.contains(name) else { throw .value(param, "'tools' has no tool of this name") }
            allowed.insert(name)
        }
        try chatOptions.restrictTools(to: allowed, value["mode"], param)
    }

    /// Reads `functions` and `function_call`, OpenAI's legacy fields for tools, into `given`.
    mutating func readFunctions(_ fields: RequestFields, _ given: inout GivenOptions) throws(APIError) {
        var functions: [ChatOptions.Tool] = []
        for value in try fields.array("functions") ?? JSONElements() {
            functions.append(try Self.function(value, "functions[\(functions.count)]", isLegacy: true))
        }
        let choice = try fields["function_call"].map { (choice) throws(APIError) in
            try Self.functionChoice(choice, functions)
        }
        guard !functions.isEmpty else { return }
        given.options.tools += functions
        given.hasAny = true
        if let choice { given.options.toolChoice = choice }
        if choice != ChatOptions.ToolChoice.none { needs.insert(.functions) }
        if case .named = choice { needs.insert([.toolChoice, .demands]) }
    }

    private static func functionChoice(
        _ choice: JSONValue,
        _ functions: [ChatOptions.Tool]
    ) throws(APIError) -> ChatOptions.ToolChoice {
        if let word = try ChatOptions.ToolChoice(word: choice, "function_call", mayRequire: false) { return word }
        let name = try choice.toolName("function_call")
        guard functions.contains(where: { $0.name == name }) else {
            throw .value("function_call", "'functions' has no function of this name")
        }
        return .named(name)
    }
}

extension JSONValue {
    fileprivate var isSearchType: Bool {
        text == "web_search" || text == "web_search_preview" || text == "google_search"
    }

    /// Returns a tool's nested object, such as `function`, and its path for errors. Without a nested object, returns
    /// this object if it has a `name`.
    func inner(_ name: StaticString, _ param: String) throws(APIError) -> (JSONValue, String) {
        if let inner = try object(name, param) { return (inner, "\(param).\(name)") }
        // Some clients send tools without the nested object.
        guard self["name"] != nil else { throw .missing("\(param).\(name)") }
        return (self, param)
    }
}

extension ChatOptions.ToolChoice {
    /// Creates the choice that a word names; nil if the value is an object. Throws if the value is neither.
    /// - Parameter mayRequire: whether the field may have the word `required`.
    init?(word choice: JSONValue, _ param: String, mayRequire: Bool = true) throws(APIError) {
        switch choice.text {
        case "none": self = .none
        case "auto": self = .auto
        case "required" where mayRequire: self = .required
        case nil:
            guard choice.kind == .object else { throw .type(param, "a string or an object") }
            return nil
        default: throw .value(param, "must be none, auto\(mayRequire ? ", required" : "") or an object")
        }
    }
}

extension ChatOptions {
    /// Removes all tools except the allowed ones, and sets whether the model must call one.
    /// - Parameter mode: `auto` or `required`; nil counts as `auto`.
    mutating func restrictTools(to allowed: Set<[UInt8]>, _ mode: JSONValue?, _ param: String) throws(APIError) {
        tools.removeAll { !allowed.contains(Array($0.name.utf8)) }
        // The indexes of the tools have changed.
        cacheBreakpoints.removeAll { if case .tool = $0.position { true } else { false } }
        switch mode?.text {
        case "auto", nil: toolChoice = .auto
        case "required": toolChoice = .required
        default: throw .value("\(param).mode", "must be auto or required")
        }
    }
}
