package import Engine

/// Who makes a request.
package enum Caller: Sendable {
    /// Brings a key of the vendor's, which is passed on.
    case passThrough(key: String)
    /// Brings none, or none that is known.
    case anonymous

    /// The key to pass on; empty if there is none.
    package var key: String { if case .passThrough(let key) = self { key } else { "" } }
}

/// Tells callers apart.
package struct Callers: Sendable {
    /// Some provider takes callers' own keys.
    package let arePassedThrough: Bool
    package let anonymousModels: [ModelPattern]

    package init(_ settings: Settings) {
        arePassedThrough = settings.providers.contains { $0.isPassthrough }
        anonymousModels = settings.anonymousModels
    }

    package func caller(of request: Request) throws(APIError) -> Caller {
        let bearer = try request.bearer()
        if let bearer, arePassedThrough { return .passThrough(key: bearer) }
        if !anonymousModels.isEmpty { return .anonymous }
        throw bearer.map { .wrongKey($0) } ?? .noKey
    }
}

extension Request {
    /// The key: `Authorization: Bearer`, else `x-api-key`, else `api-key`.
    package func bearer() throws(APIError) -> String? {
        let key = self[.authorization].flatMap(Self.bearerValue) ?? self[.xAPIKey] ?? self[.apiKey]
        guard let key, !key.isEmpty else { return nil }
        let isPlain = key.count <= 512 && key.allSatisfy { $0 > 32 && $0 < 127 }
        guard isPlain else { throw .wrongKey("") }
        return key.text
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
        let shown = key.utf8.count < 12 ? "" : ": \(key.prefix(4))...\(key.suffix(2))"
        return APIError(401, "Incorrect API key provided\(shown).", code: "invalid_api_key")
    }
}
