import Engine
package import Limits

/// A pattern that matches one model name, all names with a prefix, or all names. Matching is case-sensitive.
package enum ModelPattern: Sendable, Equatable, CustomStringConvertible {
    case exactly(String)
    case beginning(String)
    case all

    /// Parses a pattern such as `gpt-4*`; `all` and `*` match all names. Returns nil if the text is invalid.
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

/// The limits that apply to the models whose names match a pattern.
package struct ModelQuotas: Sendable, Equatable {
    package let pattern: ModelPattern
    /// The limits of each matching model; empty if these models are not limited.
    package let quotas: [Quota]
}

/// A model's two names: the alias that callers use, and the name that the vendor uses.
package struct ModelName: Sendable, Equatable {
    package let alias: String
    package let upstream: String

    /// The suffix of a model name with which a caller requests a web search.
    static let online = ":online"
    /// The entry `*` in a list of models: it stands for every model on the vendor's list.
    static let wholeList = ModelName(alias: "*", upstream: "*")

    package init(alias: String, upstream: String) {
        self.alias = alias
        self.upstream = upstream
    }

    /// Parses `name` or `alias=upstream`; nil if a name is empty or contains a space.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
            String($0.trimmed)
        }
        guard let alias = parts.first, let upstream = parts.last else { return nil }
        guard parts.allSatisfy(Self.isName) else { return nil }
        self.alias = alias
        self.upstream = upstream
    }

    /// Returns whether a text can be the name of a model. Marks of other lists, and characters that only look like others,
    /// are typing mistakes.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !"[\"".utf8.contains(first) else { return false }
        return text.utf8.allSatisfy { $0 > 32 && $0 != 127 && !";>".utf8.contains($0) }
            && (text == "*" || !text.contains("*")) && SettingType.adviceOnLookalikes(text) == nil
    }
}
