import Engine

/// The signed tokens that show the members of a family: who issues them, and which of them count.
package struct TokenRule: Sendable, Equatable {
    /// A claim and the text that it must be or contain.
    struct Condition: Sendable, Equatable {
        let path: String
        let value: String
    }

    /// The https URL of the issuer, without a slash at its end.
    package let issuer: String
    /// The path of the claim that names the member.
    let claim: String
    /// The audience, and what the settings demand besides.
    let conditions: [Condition]

    /// Whether each token that shows a member by the other rule shows the same member by this rule.
    func fitsAll(of other: TokenRule) -> Bool {
        issuer == other.issuer && claim == other.claim && conditions.allSatisfy(other.conditions.contains)
    }

    private static let claimBytes = 1...512

    /// Returns the claim that names the member; nil if the claims do not fit the rule.
    func member(in claims: JSONDocument) -> String? {
        claims.read { claims in
            let fits = conditions.allSatisfy { claims.claim($0.path.utf8[...])?.isOrContains($0.value) ?? false }
            guard fits, let text = claims.claim(claim.utf8[...])?.text, Self.claimBytes.contains(text.count) else {
                return nil
            }
            return text.text
        }
    }
}

extension JSONValue {
    /// Returns the claim at a path such as `realm_access.roles`; nil if there is none. Names may contain dots.
    fileprivate func claim(_ path: Substring.UTF8View) -> JSONValue? {
        for (name, value) in members ?? [] where path.starts(with: name) {
            let rest = path.dropFirst(name.count)
            if rest.isEmpty { return value }
            if rest.first == UInt8(ascii: "."), let found = value.claim(rest.dropFirst()) { return found }
        }
        return nil
    }

    /// Returns whether the value is this text or this word of truth, or a list that contains the text.
    fileprivate func isOrContains(_ wanted: String) -> Bool {
        if let flag { return "\(flag)" == wanted.lowercased() }
        return wanted.withBytes { wanted in
            text?.equals(wanted) ?? elements?.contains { $0.text?.equals(wanted) ?? false } ?? false
        }
    }
}
