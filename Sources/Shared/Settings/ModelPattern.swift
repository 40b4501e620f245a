import Engine
package import Limits

/// A pattern of model names: one name, a prefix, or all. Matching is case-sensitive.
package enum ModelPattern: Sendable, Equatable, CustomStringConvertible {
    case exactly(String)
    case beginning(String)
    case all

    /// `all` and `*` mean all; a `*` at the end stands for any rest. Nil if there is a `*` elsewhere, or a space.
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

/// Limits of the models that a pattern means.
package struct ModelQuotas: Sendable, Equatable {
    package let pattern: ModelPattern
    /// None: they are not limited.
    package let quotas: [Quota]
}

/// A model as callers name it, and as its vendor does.
package struct ModelName: Sendable, Equatable {
    package let alias: String
    package let upstream: String

    /// All that the vendor lists.
    /// The end of a name that asks for a search of the web.
    static let online = ":online"
    static let wholeList = ModelName(alias: "*", upstream: "*")

    package init(alias: String, upstream: String) {
        self.alias = alias
        self.upstream = upstream
    }

    /// `name` or `alias=upstream`, spaces around the parts trimmed. Nil if a part is empty or holds a space.
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
