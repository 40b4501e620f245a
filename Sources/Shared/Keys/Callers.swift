package import Engine

/// Tells callers apart, by the digests of their bearers: a token that is known is kept, and compared, as its digest
/// only.
///
/// `@unchecked`: used on one loop only.
package final class Callers: @unchecked Sendable {
    /// Some provider takes callers' own keys.
    package let arePassedThrough: Bool
    /// No provider holds credentials.
    package let areOnlyPassedThrough: Bool
    private let known: [Digest: Caller]
    private let anonymous: Caller?
    private let anonymousModels: [ModelPattern]
    private var passing: [Digest: Caller] = [:]

    private static let keptCallers = 1_000

    package init(_ settings: Settings) {
        arePassedThrough = settings.providers.contains { $0.isPassthrough }
        areOnlyPassedThrough = settings.providers.allSatisfy { $0.isPassthrough }
        known = Dictionary(settings.keys.map { ($0.digest, Caller(known: $0)) }) { first, _ in first }
        anonymousModels = settings.anonymousModels
        anonymous = anonymousModels.isEmpty ? nil : Caller(anonymousWith: anonymousModels)
    }

    package func caller(of request: Request) throws(APIError) -> Caller {
        guard let bearer = try request.bearer() else {
            guard let anonymous else { throw .noKey }
            return anonymous
        }
        let digest = Digest(of: bearer)
        if let caller = known[digest] ?? passing[digest] { return caller }
        guard arePassedThrough else {
            guard let anonymous else { throw .wrongKey(bearer.text) }
            return anonymous
        }
        if passing.count >= Self.keptCallers { passing.removeAll() }
        let caller = Caller(passingOn: bearer.text, identity: digest, models: anonymousModels)
        passing[digest] = caller
        return caller
    }
}

extension Request {
    /// The key: `Authorization: Bearer`, else `x-api-key`, else `api-key`.
    package func bearer() throws(APIError) -> UnsafeRawBufferPointer? {
        let key = self[.authorization].flatMap(Self.bearerValue) ?? self[.xAPIKey] ?? self[.apiKey]
        guard let key, !key.isEmpty else { return nil }
        let isPlain = key.count <= SettingType.tokenLimit && key.allSatisfy { $0 > 32 && $0 < 127 }
        guard isPlain else { throw .wrongKey("") }
        return key
    }

    private static func bearerValue(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard value.count > 7, value[part: 0..<7].equalsLowered("bearer ") else { return nil }
        return value[part: 7..<value.count].trimmed
    }
}

extension APIError {
    package static var noKey: APIError {
        APIError(401, "No API key was provided. Send it as `Authorization: Bearer KEY`.", code: "invalid_api_key")
    }

    package static func wrongKey(_ key: String) -> APIError {
        let shown = key.utf8.count < 12 ? "" : ": \(key.masked)"
        var error = APIError(401, "Incorrect API key provided\(shown).", code: "invalid_api_key")
        error.isWrongKey = true
        return error
    }
}
