package import Engine

/// Which limits cover a request.
///
/// `@unchecked`: used on one loop only.
package final class LimitBook: @unchecked Sendable {
    private struct Key: Hashable {
        let caller: Digest
        let group: EndpointGroup
    }
    private let identity: LimitSettings.Identity
    private let trustedProxies: [Network]
    private let limits: [EndpointGroup: [Limit]]
    private let failedAuth: [Limit]
    private let isOff: Bool
    /// Of callers who are told apart by their keys alone: the same for each of their requests.
    private var kept: [Key: [Want]] = [:]

    private static let keptCallers = 4_096

    package init(_ settings: Settings) {
        let own = settings.limits
        identity = own.identity
        trustedProxies = own.trustedProxies
        limits = Dictionary(
            uniqueKeysWithValues: own.groups.map { group, quotas in
                (group, quotas.map { Limit(.caller(group), $0) })
            }
        )
        failedAuth = own.failedAuth.map { Limit(.failedAuth, $0) }
        let hasKeys = settings.keys.contains { !$0.quotas.isEmpty || $0.groupQuotas.contains { !$1.isEmpty } }
        isOff = limits.values.allSatisfy(\.isEmpty) && !hasKeys
    }

    /// Empty: nothing limits it.
    package func wants(_ caller: Caller, _ group: EndpointGroup, _ request: Request) -> [Want] {
        if isOff { return [] }
        guard let digest = caller.identity, identity == .key else { return wants(caller, group, address(request)) }
        let key = Key(caller: digest, group: group)
        if let known = kept[key] { return known }
        if kept.count >= Self.keptCallers { kept.removeAll() }
        let wants = wants(caller, group, "")
        kept[key] = wants
        return wants
    }

    /// For a key that was wrong.
    package func wantsOfFailure(_ request: Request) -> [Want] {
        if failedAuth.isEmpty { return [] }
        let identity = Identity.address(address(request))
        return failedAuth.map { Want($0, identity) }
    }

    private func address(_ request: Request) -> String {
        request.clientAddress(trusting: trustedProxies).callerText
    }

    private func wants(_ caller: Caller, _ group: EndpointGroup, _ address: String) -> [Want] {
        guard let key = caller.key else {
            let identity = identity(of: caller, address)
            return (limits[group] ?? []).map { Want($0, identity) }
        }
        // What is set for a known key is that key's, whoever uses it and from where.
        let own = Identity.knownKey(key.digest)
        var wants: [Want] = []
        if let quotas = key.groupQuotas[group] {
            wants = quotas.map { Want(Limit(.key(group), $0), own) }
        } else {
            let identity = identity(of: caller, address)
            wants = (limits[group] ?? []).map { Want($0, identity) }
        }
        return wants + key.quotas.map { Want(Limit(.key(nil), $0), own) }
    }

    private func identity(of caller: Caller, _ address: String) -> Identity {
        guard let digest = caller.identity, identity != .address else { return .address(address) }
        let key: Identity = caller.key == nil ? .passedKey(digest) : .knownKey(digest)
        return identity == .keyAndAddress ? key.from(address) : key
    }
}
