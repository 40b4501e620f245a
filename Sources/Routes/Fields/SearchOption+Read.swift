import Engine
import Shared
import Upstream

extension SearchOption {
    /// Creates the option that bounds the number of searches, at most to 100.
    init(maxUses: Int, _ name: StaticString) {
        self.init(.maxUses, name, Body(ByteBuffer("\(Swift.min(maxUses, 100))")))
    }
}

extension [SearchOption] {
    /// Reads the options that `web_search_options` and tools for web search have in OpenAI's APIs.
    /// - Parameter param: the path of the object `search`, for error messages.
    init(_ search: JSONValue, _ param: String) throws(APIError) {
        self = []
        // Only chat completions have the parts of a location in an object of its own.
        if let location = try search.object("user_location", param) {
            let param = "\(param).user_location"
            let parts = try location.object("approximate", param) ?? location
            var text = ByteBuffer()
            for name: StaticString in ["country", "region", "city", "timezone"] {
                guard let part = try parts.string(name, param) else { continue }
                text.append(text.isEmpty ? "{\"" : ",\"", name, "\":")
                text.append(json: part)
            }
            text.append("}")
            if text.count > 1 { append(SearchOption(.location, "user_location", Body(text))) }
        }
        if let size = search["search_context_size"] {
            append(SearchOption(.contextSize, "search_context_size", size.body))
        }
    }

    /// Reads the options of a tool for web search, in the names of all APIs.
    init(tool: JSONValue, _ param: String) throws(APIError) {
        try self.init(tool, param)
        let filters = try tool.object("filters", param)
        try addDomains(.allowedDomains, "filters", filters?["allowed_domains"], "\(param).filters.allowed_domains")
        for (kind, name) in [(.allowedDomains, "allowed_domains"), (.blockedDomains, "blocked_domains")]
            as [(SearchOption.Kind, StaticString)]
        {
            try addDomains(kind, name, tool[name], "\(param).\(name)")
        }
        guard let uses = tool["max_uses"] else { return }
        guard let number = uses.integer, number > 0 else {
            throw .value("\(param).max_uses", "must be an integer above 0")
        }
        append(SearchOption(maxUses: Int(Swift.min(number, 100)), "max_uses"))
    }

    /// Adds domains to which the search is restricted, or which it leaves out. An empty list says nothing.
    private mutating func addDomains(
        _ kind: SearchOption.Kind,
        _ name: StaticString,
        _ list: JSONValue?,
        _ param: @autoclosure () -> String
    ) throws(APIError) {
        guard let list, !contains(where: { $0.kind == kind }) else { return }
        guard let domains = list.elements, domains.allSatisfy({ $0.kind == .string }) else {
            throw .type(param(), "an array of strings")
        }
        if domains.contains(where: { _ in true }) { append(SearchOption(kind, name, list.body)) }
    }
}
