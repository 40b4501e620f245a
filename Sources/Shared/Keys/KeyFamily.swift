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
    /// The family's name in the names of settings, such as `CLASS`.
    let instance: String
    /// The rule by which signed tokens show members; nil if the keys are computed.
    package let rule: TokenRule?

    private static let beginning: StaticString = "rk-"
    private static let maxMemberBytes = 64
    private static let macBytes = 16
    /// The bytes that a MAC covers before the parts of the key.
    private static let signedBeginning = Array("relay-key 1\0".utf8)
    private static let stop = UInt8(ascii: ".")
    /// The beginning of a member that is named by the digest of a claim.
    private static let digestBeginning = "sha256-"

    init(name: String, secrets: [String], revoked: [String], zone: DayZone, rule: TokenRule? = nil) {
        self.name = name
        self.secrets = secrets.map { Array($0.utf8) }
        self.revoked = Set(revoked)
        self.zone = zone
        self.rule = rule
        instance = name.asInstance
    }

    /// Returns whether a text can be the name of a member: 1 to 64 of `a-z 0-9 _ -`.
    package static func isMember(_ text: some StringProtocol) -> Bool { isMember(text.utf8) }

    private static func isMember(_ text: some Collection<UInt8>) -> Bool {
        (1...maxMemberBytes).contains(text.count)
            && text.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), 45, 95: true
                default: false
                }
            }
    }

    /// Returns whether an item of `_REVOKED` has the form `ann` or `ann.20850`.
    static func isRevocation(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2 && isMember(parts[0]) && (parts.count == 1 || days(parts[1].utf8) != nil)
    }

    /// Returns the key of a member.
    /// - Parameter last: the last day on which the key is valid; nil for a key without an end of its own.
    package func key(of member: String, last: Day?) -> String {
        let parts = "\(name).\(member).\(last?.number ?? 0)."
        return "\(Self.beginning)\(parts)\(Base64.url.text(mac(parts.utf8, secrets[0])))"
    }

    /// Returns the MAC of the parts before it, in which a zero byte takes the place of each full stop.
    private func mac(_ parts: some Sequence<UInt8>, _ secret: [UInt8]) -> [UInt8] {
        var signed = Self.signedBeginning
        for byte in parts { signed.append(byte == Self.stop ? 0 : byte) }
        var code = hmac(key: secret, signed)
        code.removeLast(code.count - Self.macBytes)
        return code
    }

    /// Returns the name of the family to which a key belongs by its form; nil for a key of another form.
    static func name(in key: UnsafeRawBufferPointer) -> String? {
        guard key.hasPrefix(beginning) else { return nil }
        let rest = key[part: beginning.utf8CodeUnitCount..<key.count]
        return rest[part: 0..<(rest.first(stop) ?? rest.count)].text
    }

    /// Returns whether the key of a member with this last day is refused.
    package func revokes(_ member: String, last: Day?) -> Bool { revokes(member, days: last?.number ?? 0) }

    private func revokes(_ member: String, days: Int) -> Bool {
        !revoked.isEmpty && (revoked.contains(member) || revoked.contains("\(member).\(days)"))
    }

    /// Returns the member that has this key, and the time from which the key is refused, in milliseconds since 1970.
    /// - Throws: the error of a key that is forged or revoked.
    func member(of key: String) throws(APIError) -> (name: String, endsAt: Int?) {
        guard let (member, days) = key.withBytes(signedParts) else { throw .wrongKey(key) }
        if revokes(member, days: days) { throw .keyIsRevoked }
        return (member, days == 0 ? nil : zone.startMilliseconds(of: Day(number: days + 1)))
    }

    /// Returns the member and the last valid day of a key that one of the secrets made; nil for another key.
    private func signedParts(of key: UnsafeRawBufferPointer) -> (member: String, days: Int)? {
        let start = Self.beginning.utf8CodeUnitCount
        var end = start
        func part() -> UnsafeRawBufferPointer? {
            guard let length = key[part: end..<key.count].first(Self.stop) else { return nil }
            defer { end += length + 1 }
            return key[part: end..<(end + length)]
        }
        guard key.hasPrefix(Self.beginning), let family = part(), let member = part(), let last = part(),
            name.utf8.elementsEqual(family), Self.isMember(member), let days = Self.days(last),
            let given = Base64.url.bytes(key[part: end..<key.count])
        else { return nil }
        let isSigned = secrets.contains { secret in
            mac(key[part: start..<end], secret).withUnsafeBytes { own in
                given.withUnsafeBytes { areEqualInConstantTime(own, $0) }
            }
        }
        return isSigned ? (member.text, days) : nil
    }

    /// Returns the member that a signed token shows; nil if the token does not fit the family's rule. A claim that is no name
    /// of a member is replaced by its digest. Throws the error of a revoked key.
    func member(of token: SignedToken) throws(APIError) -> String? {
        guard let claim = rule?.member(in: token.claims) else { return nil }
        var member = claim
        // A claim that looks like a digest must not stand for another person's.
        if !Self.isMember(claim) || claim.hasPrefix(Self.digestBeginning) {
            member = Self.digestBeginning + Digest(of: claim).hexadecimal(bytes: 16)
        }
        if revoked.contains(claim) || revoked.contains(member) { throw .keyIsRevoked }
        return member
    }

    /// Returns the days in a key, which have one spelling; nil if the text is no such number.
    private static func days(_ text: some Collection<UInt8>) -> Int? {
        let (zero, nine) = (UInt8(ascii: "0"), UInt8(ascii: "9"))
        guard (1...7).contains(text.count), text.allSatisfy({ zero...nine ~= $0 }),
            text.count == 1 || text.first != zero
        else { return nil }
        return text.reduce(0) { 10 * $0 + Int($1 - zero) }
    }
}

extension APIError {
    fileprivate static var keyIsRevoked: APIError {
        APIError(401, "This API key was revoked. Ask for a new one.", code: "key_revoked")
    }
}
