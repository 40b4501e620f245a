package import Engine
import Limits

/// A table that finds the caller of a request by the digest of the request's key.
package final class Callers: OnLoop, @unchecked Sendable {
    /// Whether some provider is called with the callers' own vendor keys.
    package let hasPassthroughProviders: Bool
    /// Whether all providers are called with the callers' own vendor keys, so the relay has no credentials.
    package let hasOnlyPassthroughProviders: Bool
    private let known: [Digest: Caller]
    private let anonymous: Caller?
    private let anonymousModels: [ModelPattern]
    private let oneLoop = OneLoop()
    private var passing = RecentTable<Digest, Caller>()

    private static let keptCallers = 1_000

    /// Creates the table of callers.
    ///
    /// - Parameters:
    ///   - anonymousModels: the models that callers without a key may use; if empty, each caller needs a key.
    ///   - hasPassthroughProviders: whether some provider is called with the callers' own keys.
    ///   - hasOnlyPassthroughProviders: whether all providers are called with the callers' own keys.
    package init(
        known keys: [KeySettings],
        anonymousModels: [ModelPattern],
        hasPassthroughProviders: Bool,
        hasOnlyPassthroughProviders: Bool
    ) {
        self.hasPassthroughProviders = hasPassthroughProviders
        self.hasOnlyPassthroughProviders = hasOnlyPassthroughProviders
        let tokens = keys.flatMap { key in
            let caller = Caller(known: key)
            return key.tokens.map { ($0.digest, caller) }
        }
        known = Dictionary(tokens) { first, _ in first }
        self.anonymousModels = anonymousModels
        anonymous = anonymousModels.isEmpty ? nil : Caller(anonymousWith: anonymousModels)
    }

    /// Returns the caller of a request. `stray` is the digest of the request's key if the caller counts as anonymous
    /// because the relay does not know this key; otherwise nil.
    ///
    /// - Throws: an error for the client if the key is missing, unknown or malformed, or if the request's keys differ.
    package func caller(of request: Request) throws(APIError) -> (caller: Caller, stray: Digest?) {
        oneLoop.check()
        guard let bearer = try request.bearer() else {
            guard let anonymous else { throw .noKey }
            return (anonymous, nil)
        }
        let digest = Digest(of: bearer)
        if let caller = known[digest] ?? passing.use(digest) { return (caller, nil) }
        guard hasPassthroughProviders else {
            guard let anonymous else { throw .wrongKey(bearer.text) }
            return (anonymous, digest)
        }
        let caller = Caller(passingOn: bearer.text, digest, models: anonymousModels)
        passing.set(digest, caller, atMost: Self.keptCallers)
        return (caller, nil)
    }
}

extension Request {
    /// Returns the key in `Authorization: Bearer`, `x-api-key` or `api-key`; nil if there is none. Throws if the keys
    /// differ or the key is malformed.
    package func bearer() throws(APIError) -> UnsafeRawBufferPointer? {
        var key: UnsafeRawBufferPointer?
        for given in [self[.authorization].flatMap(Self.tokenValue), self[.xAPIKey], self[.apiKey]] {
            guard let given, !given.isEmpty else { continue }
            if let key, !key.elementsEqual(given) { throw .keysDiffer }
            key = given
        }
        guard let key else { return nil }
        let isPlain = key.count <= SettingType.tokenLimit && key.allSatisfy { $0 > 32 && $0 < 127 }
        guard isPlain else { throw .wrongKey("") }
        return key
    }

    private static func tokenValue(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard value.count > 7, value[part: 0..<7].equalsLowered("bearer ") else { return nil }
        return value[part: 7..<value.count].trimmed
    }
}

extension APIError {
    package static var noKey: APIError {
        APIError(401, "No API key was provided. Send it as `Authorization: Bearer KEY`.", code: "invalid_api_key")
    }

    fileprivate static var keysDiffer: APIError {
        APIError(
            400,
            "The request has several different API keys. Send one of Authorization, x-api-key and api-key.",
            code: "ambiguous_api_key"
        )
    }

    package static func wrongKey(_ key: String) -> APIError {
        let shown = key.utf8.count < 12 ? "" : ": \(key.masked)"
        var error = APIError(401, "Incorrect API key provided\(shown).", code: "invalid_api_key")
        error.isWrongKey = true
        return error
    }
}
