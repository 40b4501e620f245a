package import Engine
package import Limits

/// The caller of a request. An event loop uses the object again for the caller's later requests.
package final class Caller: Sendable {
    package enum Kind: Sendable {
        /// A caller with a token that `KEY_<NAME>_TOKEN` declares.
        case known
        /// A caller with a vendor's key, which the relay forwards to the vendor.
        case passThrough
        /// A caller without a key, or with a key that the relay does not know.
        case anonymous
    }

    package let kind: Kind
    /// The identity under which the caller's data is stored; nil for anonymous callers.
    package let identity: Identity?
    /// The caller's name in the log; nil for anonymous callers.
    package let name: String?
    /// The settings of a known caller; nil for other callers.
    package let key: KeySettings?
    /// The vendor's key that the relay forwards; empty unless the kind is `passThrough`.
    package let passedKey: String
    /// The models that the caller may use at providers for which the relay has credentials.
    private let models: [ModelPattern]
    /// The models that each of the caller's groups permits; empty if the groups permit all models.
    private let modelsOfGroups: [[ModelPattern]]

    private init(
        _ kind: Kind,
        identity: Identity? = nil,
        name: String? = nil,
        key: KeySettings? = nil,
        passedKey: String = "",
        models: [ModelPattern],
        modelsOfGroups: [[ModelPattern]] = []
    ) {
        self.kind = kind
        self.identity = identity
        self.name = name
        self.key = key
        self.passedKey = passedKey
        self.models = models
        self.modelsOfGroups = modelsOfGroups
    }

    package convenience init(known key: KeySettings) {
        self.init(
            .known,
            identity: key.identity,
            name: key.name,
            key: key,
            models: key.models,
            modelsOfGroups: key.groups.map(\.models).filter { !$0.contains(.all) }
        )
    }

    package convenience init(passingOn key: String, _ bearer: Digest, models: [ModelPattern]) {
        let (identity, name) = (Identity.passedKey(bearer), bearer.callerName)
        self.init(.passThrough, identity: identity, name: name, passedKey: key, models: models)
    }

    /// Creates a passthrough caller from its name in the log, to show or reset the caller's limits.
    package convenience init(passingOnKeyOf name: String) {
        self.init(.passThrough, identity: .passedKey(named: name), name: name, models: [])
    }

    package convenience init(anonymousWith models: [ModelPattern]) { self.init(.anonymous, models: models) }

    /// A passthrough caller without an identity, to find the models available with a vendor's key.
    package static let visitor = Caller(.passThrough, models: [])

    /// Returns whether the caller may use the model of this name. A passthrough caller may use all models of
    /// passthrough providers. At other providers, the caller's list of models decides, and those of its groups.
    package func mayUse(_ name: String, ofPassthrough isPassthrough: Bool) -> Bool {
        isPassthrough ? kind == .passThrough : isPermitted(name)
    }

    private func isPermitted(_ name: String) -> Bool {
        models.match(name) && modelsOfGroups.allSatisfy { $0.match(name) }
    }

    /// Returns whether each list of models that concerns the caller contains one of a model's names.
    func isPermitted(anyOf names: [String]) -> Bool {
        names.contains(where: models.match) && modelsOfGroups.allSatisfy { names.contains(where: $0.match) }
    }

    /// Returns whether the caller's list of models contains exactly this name. A pattern such as `gpt-*` does not
    /// count.
    func isPermitted(exactly name: String) -> Bool { models.contains(.exactly(name)) && isPermitted(name) }

    /// Whether the caller may use all models for which the relay has credentials.
    package var mayUseAllModels: Bool { models.contains(.all) && modelsOfGroups.isEmpty }

    /// Returns a copy that may use all models if this caller may use the named one; otherwise this caller.
    package func allowingAllModels(ifAllowed name: String) -> Caller {
        guard isPermitted(name) else { return self }
        return Caller(kind, identity: identity, name: self.name, key: key, passedKey: passedKey, models: [.all])
    }
}
