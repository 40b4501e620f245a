package import Engine
package import Limits

/// A caller that is known here.
package struct KeySettings: Sendable, Equatable {
    /// Unique: the NAME in lower case, with `-` for `_`.
    package let name: String
    /// At least one: whoever brings any of them is this caller.
    package let tokens: [KeyToken]
    package let models: [ModelPattern]
    /// Of all endpoints together.
    package let quotas: [Quota]
    /// In place of every caller's; none: no limit.
    package let groupQuotas: [EndpointGroup: [Quota]]
}

/// The digest and mask of a token, which is not kept itself.
package struct KeyToken: Sendable, Equatable {
    package let digest: Digest
    /// Derived from it; a secret, too.
    package let fileSecret: [UInt8]

    init(_ token: String) {
        digest = Digest(of: token)
        fileSecret = Self.fileSecret(of: token)
    }

    /// A secret in place of a token that is not kept: neither the token nor its digest can be derived from it.
    package static func fileSecret(of token: String) -> [UInt8] {
        hkdf(Array(token.utf8), salt: [], info: Array("secret of file ids".utf8), count: SealingKey.byteCount)
    }
}

extension KeySettings {
    /// `TEAM_A` of `KEY_TEAM_A_TOKEN`.
    var instance: String { name.asInstance }

    package var identity: Identity { .knownKey(named: instance) }
}
