import Engine

extension Refusal {
    /// The finding that the server refuses the tool for web search beside other tools, which is then left out; nil if
    /// the error is not about this tool.
    var findingOfSearchTool: QuirkFinding? {
        let tools = (request["tools"]?.elements).map { Array($0) } ?? []
        let searches = tools.indices.filter { tools[$0].isSearchTool }
        guard !searches.isEmpty, searches.count < tools.count, refusesTool(among: searches, of: tools) else {
            return nil
        }
        let types = Set(searches.compactMap { tools[$0]["type"]?.content?.text })
        let changes = types.sorted().map { FieldChange("tools", .dropType($0)) }
        // With the lowest effort, OpenAI's models refuse the search that they have otherwise.
        return QuirkFinding(changes, isLasting: !words.quote("reasoning"))
    }

    private func refusesTool(among searches: [Int], of tools: [RawJSON]) -> Bool {
        guard isUnsupported || words.containsAny(of: Self.phrasesOfForm) else { return false }
        let param = vendorError.param ?? ""
        let index = param.split { !$0.isNumber }.first.flatMap { Int($0) }
        if param.hasPrefix("tools"), let index {
            // A refused field of the tool is left out alone.
            let isOfTool = param.last == "]" || param.last?.isNumber == true || isLast("type", of: param)
            return isOfTool && searches.contains(index)
        }
        let others = tools.compactMap { $0["type"]?.content }.filter { $0 != "function" && !$0.hasPrefix("web_search") }
        if others.contains(where: words.name) { return false }
        if words.quoteAny(of: Self.names) { return true }
        return words.quote("function") && (words.quote("tool") || param.hasPrefix("tools"))
            && (words.quote("type") || isLast("type", of: param))
    }

    private static let names: [StaticString] = [
        "web_search", "web search", "hosted tool", "built-in tool", "tool type",
    ]
    private static let phrasesOfForm: [StaticString] = [
        "invalid", "must be", "should be", "expected", "supported values", "unknown", "only function", "only supports",
    ]
}

extension RawJSON {
    fileprivate var isSearchTool: Bool { self["type"]?.content?.hasPrefix("web_search") ?? false }
}
