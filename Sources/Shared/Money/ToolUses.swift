import Engine

/// A tool that vendors run themselves and may charge for by use.
package enum HostedTool: Int, CaseIterable, Sendable {
    case webSearch
    case webFetch
    case codeExecution
    case fileSearch

    /// The name of the tool in settings and usage records.
    package var name: StaticString {
        switch self {
        case .webSearch: "web_search"
        case .webFetch: "web_fetch"
        case .codeExecution: "code_execution"
        case .fileSearch: "file_search"
        }
    }

    /// The member of `server_tool_use` in a usage that counts the uses of the tool.
    package var countName: StaticString {
        switch self {
        case .webSearch: "web_search_requests"
        case .webFetch: "web_fetch_requests"
        case .codeExecution: "code_execution_requests"
        case .fileSearch: "file_search_requests"
        }
    }

    /// Finds the tool of an output item of the Responses API; nil if the item is of another type.
    package init?(itemType: UnsafeRawBufferPointer) {
        if itemType.equals("web_search_call") {
            self = .webSearch
        } else if itemType.equals("code_interpreter_call") {
            self = .codeExecution
        } else if itemType.equals("file_search_call") {
            self = .fileSearch
        } else {
            return nil
        }
    }

    package init?(name: some StringProtocol) {
        guard let tool = Self.allCases.first(where: { name == "\($0.name)" }) else { return nil }
        self = tool
    }
}

/// The number of uses of each hosted tool. Numbers above 65535 become 65535.
package struct ToolUses: Sendable, Equatable {
    private var counts = SIMD4<UInt16>()

    package init() {}

    package var isEmpty: Bool { counts == SIMD4() }

    package subscript(tool: HostedTool) -> Int {
        get { Int(counts[tool.rawValue]) }
        set { counts[tool.rawValue] = UInt16(clamping: newValue) }
    }

    package static func + (one: ToolUses, other: ToolUses) -> ToolUses {
        if other.isEmpty { return one }
        var sum = one
        for tool in HostedTool.allCases { sum[tool] += other[tool] }
        return sum
    }

    /// Raises the number of uses of each tool to that in `other`.
    package mutating func raise(to other: ToolUses) { counts = pointwiseMax(counts, other.counts) }

    /// The uses as text, such as `web_search=2,web_fetch=1`; nil if there are none.
    package var text: String? {
        if isEmpty { return nil }
        return HostedTool.allCases.filter { self[$0] > 0 }.map { "\($0.name)=\(self[$0])" }.joined(separator: ",")
    }

    /// The uses as a JSON object, such as `{"web_search":2}`; nil if there are none.
    package var json: String? {
        if isEmpty { return nil }
        let members = HostedTool.allCases.filter { self[$0] > 0 }.map { "\"\($0.name)\":\(self[$0])" }
        return "{\(members.joined(separator: ","))}"
    }

    /// Parses a text such as `web_search=2,web_fetch=1`. Ignores what is invalid.
    package init(text: String) {
        for item in text.split(separator: ",") {
            let parts = item.split(separator: "=")
            if parts.count == 2, let tool = HostedTool(name: parts[0]), let count = Int(parts[1]) { self[tool] = count }
        }
    }
}
