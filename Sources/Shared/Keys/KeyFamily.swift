import Engine

/// The keys of a family of callers, such as a class: signed tokens of an issuer, or computed from a secret. There is no list
/// of them.
///
/// A computed key is `rk-<family>.<member>.<days>.<mac>`: `days` is its last valid day since 1970-01-01, or 0, and `mac` the
/// first 16 bytes of an HMAC-SHA-256, in base64url.
package struct KeyFamily: Sendable, Equatable {
    /// The name of the family, such as `class` for `KEY_CLASS_SECRET`.
    package let name: String
    /// The secrets. The first one makes keys, and each accepts them.
    private let secrets: [[UInt8]]
    /// Members whose keys are refused, such as `ann`; or single keys of them by their last day, such as `ann.20850`.
    private let revoked: Set<String>
    private let zone: DayZone
    /// The bytes that a MAC covers before those of the member.
    private let signedBeginning: [UInt8]
    /// The rule by which signed tokens show members; nil if the keys are computed.
    package let rule: TokenRule?

    private static let beginning = "rk-"
    private static let maxMemberBytes = 64
    private static let macBytes = 16
    /// The beginning of a member that is named by the digest of a claim.
    private static let digestBeginning = "sha256-"

    init(name: String, secrets: [String], revoked: [String], zone: DayZone, rule: TokenRule? = nil) {
        self.name = name
        self.secrets = secrets.map { Array($0.utf8) }
        self.revoked = Set(revoked)
        self.zone = zone
        self.rule = rule
        signedBeginning = Array("relay-key 1\0\(name)\0".utf8)
    }

    /// Returns whether a text can be the name of a member: 1 to 64 of `a-z 0-9 _ -`.
    package static func isMember(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= maxMemberBytes
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), 45, 95: true
                default: false
                }
            }
    }

    /// Returns whether an item of `_REVOKED` has the form `ann` or `ann.20850`.
    static func isRevocation(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2 && isMember(parts[0]) && (parts.count == 1 || days(parts[1]) != nil)
    }

    /// Returns the key of a member.
    ///
    /// - Parameter last: the last day on which the key is valid; nil for a key without an end of its own.
    package func key(of member: String, last: Day?) -> String {
        let days = "\(last?.number ?? 0)"
        return "\(Self.beginning)\(name).\(member).\(days).\(Base64.url.text(mac(member[...], days[...], secrets[0])))"
    }

    private func mac(_ member: Substring, _ days: Substring, _ secret: [UInt8]) -> [UInt8] {
        Array(hmac(key: secret, signedBeginning + member.utf8 + [0] + days.utf8 + [0]).prefix(Self.macBytes))
    }

    /// Returns the name of the family to which a key belongs by its form; nil for a key of another form.
    static func name(in key: String) -> Substring? {
        guard key.utf8.starts(with: beginning.utf8) else { return nil }
        return Substring(key.utf8.dropFirst(beginning.utf8.count).prefix { $0 != UInt8(ascii: ".") })
    }

    /// Returns the member that has this key, and the time from which the key is refused, in milliseconds since 1970.
    ///
    /// - Throws: the error of a key that is forged or revoked.
    func member(of key: String) throws(APIError) -> (name: String, endsAt: Int?) {
        let parts = key.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Substring($0) }
        guard parts.count == 4, let given = Base64.url.bytes(parts[3].utf8), Self.name(in: key) == name[...],
            Self.isMember(parts[1]), let days = Self.days(parts[2])
        else { throw .wrongKey(key) }
        let isSigned = secrets.contains { secret in
            mac(parts[1], parts[2], secret).withUnsafeBytes { own in
                given.withUnsafeBytes { areEqualInConstantTime(own, $0) }
            }
        }
        guard isSigned else { throw .wrongKey(key) }
        if !revoked.isEmpty, revoked.contains(String(parts[1])) || revoked.contains("\(parts[1]).\(parts[2])") {
            throw .keyIsRevoked
        }
        let end = days == 0 ? nil : zone.startMilliseconds(of: Day(number: days + 1))
        return (String(parts[1]), end)
    }

    /// Returns the member that a signed token shows; nil if the token does not fit the family's rule. A claim that is no name
    /// of a member is replaced by its digest. Throws the error of a revoked key.
    func member(of token: SignedToken) throws(APIError) -> String? {
        guard let claim = rule?.member(in: token.claims) else { return nil }
        var member = claim
        // A claim that looks like a digest must not stand for another person's.
        if !Self.isMember(claim) || claim.hasPrefix(Self.digestBeginning) {
            let digits = Digest(of: claim).withBytes { $0.prefix(16).flatMap { [$0 >> 4, $0 & 15] } }
            member = Self.digestBeginning + digits.map { String($0, radix: 16) }.joined()
        }
        if revoked.contains(claim) || revoked.contains(member) { throw .keyIsRevoked }
        return member
    }

    /// Returns the days in a key, which have one spelling; nil if the text is no such number.
    private static func days(_ text: Substring) -> Int? {
        guard text.utf8.count <= 7, let days = Int(text), days >= 0, "\(days)" == text else { return nil }
        return days
    }
}

extension APIError {
    fileprivate static var keyIsRevoked: APIError {
        APIError(401, "This API key was revoked. Ask for a new one.", code: "key_revoked")
    }
}
