import Engine
package import Shared

/// The web search of a chat, and its options.
extension ChatCall {
    /// Decides what the request's tool for web search means: a search if it is the only tool or is forced.
    /// - Parameter isForced: whether `tool_choice` names the tool.
    package mutating func settleSearch(_ chatOptions: inout ChatOptions, isForced: Bool) {
        guard let tool = chatOptions.searchTool else { return }
        if chatOptions.toolChoice == .none {
            chatOptions.searchTool = nil
            return
        }
        guard isForced || chatOptions.tools.isEmpty else { return }
        chatOptions.searchTool?.isOffered = false
        chatOptions.toolChoice = .auto
        webSearch = tool.search
        needs.insert(.searchOptions)
    }

    /// Whether the model chooses between a web search and other tools.
    package var offersSearch: Bool { rare?.value.searchTool?.isOffered == true }

    /// Whether the model must search with the request's tool for web search.
    var isForcedSearch: Bool { rare?.value.searchTool?.isOffered == false }

    /// Removes the tool for web search that the model could choose.
    mutating func dropSearch() {
        if offersSearch { chatOptions.searchTool = nil }
    }

    /// Whether the vendor's request contains its own tool or option for web search.
    package var sendsSearch: Bool { needs.contains(.searchOptions) || rare?.value.searchTool != nil }

    /// Returns the search options for the model; nil if the chat uses no web search.
    package func search(with model: borrowing Model) -> WebSearch? {
        webSearch ?? (model.searchesWeb && !refusesSearch ? .usual : nil)
    }

    /// Leaves out the options of the search that the vendor's API does not have.
    /// - Parameter isOfChat: whether the API is that of chat completions, whose servers get the client's own
    ///   `web_search_options` as they are.
    mutating func leaveOutSearchOptions(
        except supported: Set<SearchOption.Kind>,
        for billing: Billing,
        isOfChat: Bool = false
    ) {
        guard let options = rare?.value.searchOptions, !options.isEmpty, sendsSearch || webSearch != nil else { return }
        let isAsItCame = isOfChat && hasSearchOptions
        for option in options where !supported.contains(option.kind) {
            if !isAsItCame || option.kind == .extent { billing.leaveOut("\(option.name)") }
        }
        if isAsItCame { return }
        chatOptions.searchOptions = options.filter { supported.contains($0.kind) }
    }

    /// Leaves out the tools that only the relay and 1min.ai have.
    func leaveOutRelayTools(for billing: Billing) {
        guard hasRelayTools else { return }
        if wantsCode { billing.leaveOut("code_interpreter") }
        if webSearch != nil, !sendsSearch { billing.leaveOut("retrieval") }
    }

    /// Whether the client's request itself has the member `web_search_options`.
    var hasSearchOptions: Bool {
        (original ?? changedOriginal)?.members?.contains { $0.name == "web_search_options" && !$0.value.isNull }
            ?? false
    }

    /// The largest number of searches that the request allows; nil if it sets none.
    package var maxSearches: Int? {
        (rare?.value.searchOptions ?? []).first { $0.kind == .maxUses }.flatMap { Int($0.value.bytes.text) }
    }
}
