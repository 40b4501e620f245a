import Engine
package import Limits

/// A pattern of model names: one name, a prefix, or all. Matching is case-sensitive.
package enum ModelPattern: Sendable, Equatable, CustomStringConvertible {
    case exactly(String)
    case beginning(String)
    case all

    /// Parses a pattern. `all` and `*` match all names; a final `*` matches any ending. Returns nil if there is a `*`
    /// elsewhere, or a space.
    package init?(_ text: String) {
        if text == "all" || text == "*" {
            self = .all
            return
        }
        let isPrefix = text.last == "*"
        let name = isPrefix ? String(text.dropLast()) : text
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 32 && $0 != 127 && $0 != UInt8(ascii: "*") }) else {
            return nil
        }
        self = isPrefix ? .beginning(name) : .exactly(name)
    }

    package var description: String {
        switch self {
        case .exactly(let name): name
        case .beginning(let prefix): prefix + "*"
        case .all: "all"
        }
    }

    package func matches(_ model: String) -> Bool {
        switch self {
        case .exactly(let name): model == name
        case .beginning(let prefix): model.hasPrefix(prefix)
        case .all: true
        }
    }
}

extension [ModelPattern] {
    package func match(_ model: String) -> Bool { contains { $0.matches(model) } }
}

/// The limits of models that match a pattern.
package struct ModelQuotas: Sendable, Equatable {
    package let pattern: ModelPattern
    /// The limits; empty: the models are not limited.
    package let quotas: [Quota]
}

/// A model with the name that callers use and the name at the vendor.
package struct ModelName: Sendable, Equatable {
    package let alias: String
    package let upstream: String

    /// The suffix of a model name that requests a web search.
    static let online = ":online"
    /// The name that stands for all models of the vendor's list.
    static let wholeList = ModelName(alias: "*", upstream: "*")

    package init(alias: String, upstream: String) {
        self.alias = alias
        self.upstream = upstream
    }

    /// Parses `name` or `alias=upstream`, and trims spaces around the parts. Returns nil if a part is empty or contains
    /// a space.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
            String($0.trimmed)
        }
        guard let alias = parts.first, let upstream = parts.last else { return nil }
        guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 > 32 && $0 != 127 } }) else { return nil }
        self.alias = alias
        self.upstream = upstream
    }
}
