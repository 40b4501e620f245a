package import Engine
package import Limits

/// The caller of a request. One object serves all requests of the same caller on an event loop.
package final class Caller: Sendable {
    package enum Kind: Sendable {
        /// A caller with a token of this relay.
        case known
        /// A caller with a vendor's key, which is forwarded.
        case passThrough
        /// A caller without a key, or with an unknown one.
        case anonymous
    }

    package let kind: Kind
    /// The identity under which a caller's data is stored. For a known key it is the NAME, whichever token is used; for
    /// a passthrough key it is the key's digest; nil for anonymous callers.
    package let identity: Identity?
    /// The name for the log: the name of a known key, or some characters of a passthrough key's digest; nil for
    /// anonymous callers.
    package let name: String?
    /// The settings of a known key; nil for other callers.
    package let key: KeySettings?
    /// The key to forward; empty unless the kind is `passThrough`.
    package let passedKey: String
    /// The models that the caller may use at providers with credentials.
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

    /// - Parameter models: the models that need no key.
    package convenience init(passingOn key: String, _ bearer: Digest, models: [ModelPattern]) {
        let (identity, name) = (Identity.passedKey(bearer), bearer.callerName)
        self.init(.passThrough, identity: identity, name: name, passedKey: key, models: models)
    }

    /// Creates the caller with a passthrough key that this process does not have, from its name in logs.
    package convenience init(passingOnKeyOf name: String) {
        self.init(.passThrough, identity: .passedKey(named: name), name: name, models: [])
    }

    /// - Parameter models: the models that need no key.
    package convenience init(anonymousWith models: [ModelPattern]) { self.init(.anonymous, models: models) }

    /// A caller for looking up the models that are available with a vendor's key.
    package static let visitor = Caller(.passThrough, models: [])

    /// Returns whether the caller may use the requested name, at passthrough providers or at providers with
    /// credentials.
    package func mayUse(_ name: String, ofPassthrough isPassthrough: Bool) -> Bool {
        isPassthrough ? kind == .passThrough : models.match(name)
    }

    /// Returns whether a pattern of the caller's models is exactly this name.
    func isPermitted(exactly name: String) -> Bool { models.contains(.exactly(name)) }

    /// Returns this caller with the right to all models, if it may use this one at providers with credentials.
    /// Otherwise returns the caller unchanged.
    package func allowingAllModels(ifAllowed name: String) -> Caller {
        guard models.match(name) else { return self }
        return Caller(kind, identity: identity, name: self.name, key: key, passedKey: passedKey, models: [.all])
    }
}
