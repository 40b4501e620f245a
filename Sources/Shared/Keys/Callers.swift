package import Engine
import Limits

/// A table that finds the caller of a request by the digest of the request's key.
package final class Callers: OnLoop, @unchecked Sendable {
    /// Whether some provider is called with the callers' own vendor keys.
    package let hasPassthroughProviders: Bool
    /// Whether callers' own vendor keys may be signed tokens of issuers that are not in the settings.
    private let passesTokens: Bool
    /// Whether all providers are called with the callers' own vendor keys, so the relay has no credentials.
    package let hasOnlyPassthroughProviders: Bool
    private let known: [Digest: Caller]
    /// The settings of families by the family's name, and the members that have called. A signed token is checked again after
    /// `until`, in milliseconds since 1970.
    private let families: [String: KeySettings]
    private(set) var members = RecentTable<Digest, (caller: Caller, until: Int)>()
    /// The settings of the families whose members have signed tokens.
    private let signed: [KeySettings]
    private let keyLimitBytes: Int
    private let anonymous: Caller?
    private let anonymousModels: [ModelPattern]
    private let oneLoop = OneLoop()
    private(set) var passing = RecentTable<Digest, Caller>()

    private static let keptCallers = 1_000
    private static let keptMembers = 10_000
    /// The longest time after which the signature of a token is checked again: the issuer may have withdrawn its key.
    private static let checkedMilliseconds = 3_600_000

    /// - Parameters:
    ///   - anonymousModels: the models that callers without a key may use; if empty, each caller needs a key.
    ///   - passesTokens: whether passed keys may be signed tokens of issuers that are not in the settings.
    package init(
        known keys: [KeySettings],
        anonymousModels: [ModelPattern],
        hasPassthroughProviders: Bool,
        passesTokens: Bool = false,
        hasOnlyPassthroughProviders: Bool
    ) {
        self.hasPassthroughProviders = hasPassthroughProviders
        self.passesTokens = passesTokens
        self.hasOnlyPassthroughProviders = hasOnlyPassthroughProviders
        families = Dictionary(keys.compactMap { key in key.family.map { ($0.name, key) } }) { first, _ in first }
        signed = keys.filter { $0.family?.rule != nil }
        keyLimitBytes = signed.isEmpty ? SettingType.tokenLimit : SignedToken.limitBytes
        let tokens = keys.single.flatMap { key in
            let caller = Caller(known: key)
            return key.tokens.map { ($0.digest, caller) }
        }
        known = Dictionary(tokens) { first, _ in first }
        self.anonymousModels = anonymousModels
        anonymous = anonymousModels.isEmpty ? nil : Caller(anonymousWith: anonymousModels)
    }

    /// Returns the caller of a request. `stray` is the digest of the request's key if the caller counts as anonymous
    /// because the relay does not know this key; otherwise nil. Nil instead of both if the key is a signed token that must be
    /// checked first: see `token(of:)`.
    /// - Throws: an error for the client if the key is missing, unknown or malformed, or if the request's keys differ.
    package func caller(of request: Request) throws(APIError) -> (caller: Caller, stray: Digest?)? {
        oneLoop.check()
        guard let bearer = try request.bearer(limitBytes: keyLimitBytes) else {
            guard let anonymous else { throw .noKey }
            return (anonymous, nil)
        }
        let digest = Digest(of: bearer)
        var own = known[digest]
        if own == nil { own = try member(bearer, digest) }
        if let caller = own { return (try Self.checked(caller), nil) }
        if !signed.isEmpty {
            let isToken = SignedToken.isOne(bearer)
            if isToken, !passesTokens || SignedToken.names(issuers, in: bearer) { return nil }
            guard isToken || bearer.count <= SettingType.tokenLimit else { throw .wrongKey("") }
        }
        if let caller = passing.use(digest) { return (caller, nil) }
        guard hasPassthroughProviders else {
            guard let anonymous else { throw .wrongKey(bearer.text) }
            return (anonymous, digest)
        }
        let caller = Caller(passingOn: bearer.text, digest, models: anonymousModels)
        if bearer.count <= SettingType.tokenLimit { passing.set(digest, caller, atMost: Self.keptCallers) }
        return (caller, nil)
    }

    /// Returns the caller. Throws if its key is switched off or has expired.
    package static func checked(_ caller: Caller) throws(APIError) -> Caller {
        guard let end = caller.key?.endsAt, end <= Timestamp.now() else { return caller }
        throw end == .min
            ? APIError(401, "This API key is switched off. Ask who gave it to you.", code: "key_disabled")
            : APIError(401, "This API key has expired. Ask for a new one.", code: "key_expired")
    }

    /// Returns the request's signed token, whose signature is not checked yet. Throws the error for the client if no issuer in
    /// the settings can have issued the token.
    package func token(of request: Request) throws(APIError) -> SignedToken {
        guard let bearer = try request.bearer(limitBytes: keyLimitBytes) else { throw .noKey }
        return try SignedToken(bearer, of: issuers)
    }

    private var issuers: some Sequence<String> { signed.lazy.compactMap { $0.family?.rule?.issuer } }

    /// Returns the member of a family that a token shows. Later requests with the token cost no signature. Throws the error
    /// for the client if the key did not sign the token, or if no family accepts the token.
    package func member(_ token: SignedToken, signedBy key: VerifyingKey) throws(APIError) -> Caller {
        guard token.isSigned(by: key) else { throw .tokenNotAccepted("its signature is wrong") }
        let now = Timestamp.now()
        let end = try token.end(at: now)
        for settings in signed where settings.family?.rule?.issuer == token.issuer {
            guard let member = try settings.family?.member(of: token) else { continue }
            let caller = Caller(known: settings.settings(ofMember: member))
            let until = min(end, now + Self.checkedMilliseconds)
            members.set(token.digest, (caller, until), atMost: Self.keptMembers)
            return try Self.checked(caller)
        }
        throw .tokenNotAccepted("its audience or its claims do not fit", isForged: false)
    }

    /// Returns the member of a family that has this key; nil if the key is of no family.
    private func member(_ bearer: UnsafeRawBufferPointer, _ digest: Digest) throws(APIError) -> Caller? {
        if families.isEmpty { return nil }
        if let (caller, until) = members.use(digest), until == .max || Timestamp.now() < until { return caller }
        guard let name = KeyFamily.name(in: bearer), let settings = families[name], let family = settings.family else {
            return nil
        }
        let member = try family.member(of: bearer.text)
        let caller = Caller(known: settings.settings(ofMember: member.name, until: member.endsAt))
        members.set(digest, (caller, .max), atMost: Self.keptMembers)
        return caller
    }
}

extension Request {
    /// Returns the key in `Authorization`, `x-api-key`, `api-key` or `x-goog-api-key`; nil if there is none. Throws if
    /// the keys differ or the key is malformed.
    ///
    /// The login of a Claude account in `Authorization` does not count if another header has a key.
    package func bearer(limitBytes: Int = SettingType.tokenLimit) throws(APIError) -> UnsafeRawBufferPointer? {
        var key: UnsafeRawBufferPointer?
        let bearer = self[.authorization].flatMap(Self.tokenValue)
        for given in [bearer, self[.xAPIKey], self[.apiKey], self[.xGoogAPIKey]] {
            guard let given, !given.isEmpty else { continue }
            if let known = key, !known.elementsEqual(given), !known.hasPrefix("sk-ant-oat") { throw .keysDiffer }
            key = given
        }
        guard let key else { return nil }
        if let mistake = Self.mistake(in: key) { throw .wrongKey("", mistake) }
        let isPlain = key.count <= limitBytes && key.allSatisfy { $0 > 32 && $0 < 127 }
        guard isPlain else { throw .wrongKey("") }
        return key
    }

    /// Returns the key in a value of `Authorization`: after `Bearer`, or the whole value if it is one word.
    private static func tokenValue(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard value.beginsLowered("bearer ") else {
            return value.first(UInt8(ascii: " ")) == nil && !value.equalsLowered("bearer") ? value : nil
        }
        return value[part: 7..<value.count].trimmed
    }

    private static func mistake(in key: UnsafeRawBufferPointer) -> String? {
        if key.beginsLowered("bearer ") {
            return #"It begins with "Bearer ". Send that word once, in Authorization only"#
        }
        if key.first == UInt8(ascii: "$") { return "It is the name of a variable. Send the variable's value" }
        let isQuoted = key.first == UInt8(ascii: "\"") || key.first == UInt8(ascii: "'")
        return isQuoted ? "It begins with a quotation mark. Send the key without quotes" : nil
    }
}

extension APIError {
    package static var noKey: APIError {
        APIError(401, "No API key was provided. Send it as `Authorization: Bearer KEY`.", code: "invalid_api_key")
    }

    fileprivate static var keysDiffer: APIError {
        APIError(
            400,
            "The request has several different API keys. Send one of Authorization, x-api-key, api-key and x-goog-api-key.",
            code: "ambiguous_api_key"
        )
    }

    /// - Parameter mistake: a sentence about the form of the key, without its full stop; nil if the form is right.
    package static func wrongKey(_ key: String, _ mistake: String? = nil) -> APIError {
        let shown = mistake.map { ". \($0)" } ?? (key.utf8.count < 12 ? "" : ": \(key.masked)")
        var error = APIError(401, "Incorrect API key provided\(shown).", code: "invalid_api_key")
        error.isWrongKey = true
        return error
    }
}
