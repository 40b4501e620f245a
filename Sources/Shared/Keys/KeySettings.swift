package import Engine
package import Limits

/// The settings of a known caller.
package struct KeySettings: Sendable, Equatable {
    /// The unique name: the NAME of the settings in lower case, with `-` in place of `_`.
    package let name: String
    /// The tokens of the caller, at least one. Any of them identifies the caller.
    package let tokens: [KeyToken]
    package let models: [ModelPattern]
    /// The limits that count requests to all endpoints together.
    package let quotas: [Quota]
    /// The limits by endpoint group, which replace the limits of every caller; a group with an empty list has no limit.
    package let groupQuotas: [EndpointGroup: [Quota]]
}

/// The digest and the derived secret of a token. The token itself is not stored.
package struct KeyToken: Sendable, Equatable {
    package let digest: Digest
    /// The secret derived from the token, which encrypts file ids.
    package let fileSecret: [UInt8]

    init(_ token: String) {
        digest = Digest(of: token)
        fileSecret = Self.fileSecret(of: token)
    }

    /// Derives a secret from a token that is not stored. The token and its digest cannot be computed from the secret.
    package static func fileSecret(of token: String) -> [UInt8] {
        hkdf(Array(token.utf8), salt: [], info: Array("secret of file ids".utf8), count: SealingKey.byteCount)
    }
}

extension KeySettings {
    /// The NAME in the settings, such as `TEAM_A` in `KEY_TEAM_A_TOKEN`.
    var instance: String { name.asInstance }

    package var identity: Identity { .knownKey(named: instance) }
}
