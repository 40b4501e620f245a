package import Engine

/// An option of a web search that only some vendors have.
package struct SearchOption: Sendable {
    package enum Kind: Sendable {
        case allowedDomains
        case blockedDomains
        /// The amount of what is found that goes to the model: `low`, `medium` or `high`.
        case contextSize
        /// The number of sites and words that 1min.ai reads.
        case extent
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
