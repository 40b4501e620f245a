package import Engine
package import Limits

/// The caller of a request. One object serves all requests of the same caller on a loop.
package final class Caller: Sendable {
    package enum Kind: Sendable {
        /// Brings a token of this relay's.
        case known
        /// Brings a key of the vendor's, which is passed on.
        case passThrough
        /// Brings none, or none that is known.
        case anonymous
    }

    package let kind: Kind
    /// By which everything that is kept for a caller is found: a known key's by its NAME, whichever of its tokens is
    /// brought, others' by the bearer; nil: anonymous.
    package let identity: Identity?
    /// For the log: a known key's name, of other bearers characters of the digest; nil: anonymous.
    package let name: String?
    /// The settings of a known key.
    package let key: KeySettings?
    /// The key to pass on; empty unless `passThrough`.
    package let passedKey: String
    /// The models that may be used of providers that hold credentials.
    private let models: [ModelPattern]

    private init(
        _ kind: Kind,
        identity: Identity? = nil,
        name: String? = nil,
        key: KeySettings? = nil,
        passedKey: String = "",
        models: [ModelPattern]
    ) {
        self.kind = kind
        self.identity = identity
        self.name = name
        self.key = key
        self.passedKey = passedKey
        self.models = models
    }

    package convenience init(known key: KeySettings) {
        self.init(.known, identity: key.identity, name: key.name, key: key, models: key.models)
    }

    /// - Parameter models: those that need no key.
    package convenience init(passingOn key: String, _ bearer: Digest, models: [ModelPattern]) {
        let (identity, name) = (Identity.passedKey(bearer), bearer.callerName)
        self.init(.passThrough, identity: identity, name: name, passedKey: key, models: models)
    }

    /// One whose key is not here, by the name that it has in logs.
    package convenience init(passingOnKeyOf name: String) {
        self.init(.passThrough, identity: .passedKey(named: name), name: name, models: [])
    }

    /// - Parameter models: those that need no key.
    package convenience init(anonymousWith models: [ModelPattern]) { self.init(.anonymous, models: models) }

    /// Somebody who looks at what could be had with a key of the vendor's.
    package static let visitor = Caller(.passThrough, models: [])

    /// True if the name that was asked for may be used, at providers that hold credentials or at those that take the
    /// caller's own key.
    package func mayUse(_ name: String, ofPassthrough isPassthrough: Bool) -> Bool {
        isPassthrough ? kind == .passThrough : models.match(name)
    }

    /// Whether a pattern is that name itself.
    func isPermitted(exactly name: String) -> Bool { models.contains(.exactly(name)) }

    /// The same caller, with the right to all models if they have that to this one. One who may use it only with a key
    /// of the vendor's has that key alone.
    package func mayingAll(ifMaying name: String) -> Caller {
        guard models.match(name) else { return self }
        return Caller(kind, identity: identity, name: self.name, key: key, passedKey: passedKey, models: [.all])
    }
}
