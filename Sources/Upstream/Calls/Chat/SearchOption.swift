package import Engine
import Shared

/// An option of a web search that only some vendors have.
package struct SearchOption: Sendable {
    package enum Kind: Sendable {
        case allowedDomains
        case blockedDomains
        /// The amount of what is found that goes to the model: `low`, `medium` or `high`.
        case contextSize
        case location
        /// The largest number of searches.
        case maxUses
    }

    package let kind: Kind
    /// The name of the field in the request.
    package let name: StaticString
    /// The value as JSON. An approximate location is an object of texts, such as `{"city":"Oslo","country":"NO"}`.
    package let value: Body

    package init(_ kind: Kind, _ name: StaticString, _ value: Body) {
        self.kind = kind
        self.name = name
        self.value = value
    }
}

extension ChatCall {
    /// Leaves out the options of the search that the vendor's API does not have.
    mutating func leaveOutSearchOptions(except supported: Set<SearchOption.Kind>, for billing: Billing) {
        guard let options = rare?.value.searchOptions, !options.isEmpty, sendsSearch else { return }
        for option in options where !supported.contains(option.kind) { billing.leaveOut(option.name) }
        chatOptions.searchOptions = options.filter { supported.contains($0.kind) }
    }

    /// The largest number of searches that the request allows; nil if it sets none.
    package var maxSearches: Int? {
        (rare?.value.searchOptions ?? []).first { $0.kind == .maxUses }.flatMap { Int($0.value.bytes.text) }
    }
}
