package import Engine
package import Limits

/// The settings of a known caller.
package struct KeySettings: Sendable, Equatable {
    /// The unique name of the caller, such as `team-a` for `KEY_TEAM_A_TOKEN`, or `class.ann` for a member of a family.
    package private(set) var name: String
    /// The tokens of the caller, at least one. Each of them identifies the caller; those of a family make its keys.
    package let tokens: [KeyToken]
    package let models: [ModelPattern]
    /// The limits of the caller. Those by endpoint group replace the general limits; an empty list means no limit.
    package let limits: OwnLimits
    /// The groups of callers to which the caller belongs.
    package let groups: [GroupSettings]
    /// The identity of the callers that the operator did not set apart: of the first group, the family or the caller.
    package let voice: Identity
    /// The longest time that a request of the caller waits for limits of vendors; nil if the general one applies.
    package let patience: Duration?
    /// The time from which the key is refused, in milliseconds since 1970: `.min` if it is switched off, nil if it has no
    /// end.
    package private(set) var endsAt: Int?
    /// The family to which the caller belongs, or whose settings these are; nil for a caller with tokens of its own.
    package var family: KeyFamily?
    /// The caller's name in its family; nil for settings that hold for each member.
    package private(set) var member: String?

    /// Whether these are the settings of a family, not of one caller.
    package var isOfAllMembers: Bool { family != nil && member == nil }

    /// Returns the settings of one member of the family. All members have the same ones.
    /// - Parameter end: the time from which the member's key is refused; nil if it has no end of its own.
    package func settings(ofMember member: String, until end: Int? = nil) -> KeySettings {
        var settings = self
        settings.name = "\(name).\(member)"
        settings.member = member
        if let end { settings.endsAt = min(endsAt ?? end, end) }
        return settings
    }

    /// Returns the settings of a member, whose name somebody wrote; nil if it can be none.
    fileprivate func settings(named member: Substring) -> KeySettings? {
        family != nil && KeyFamily.isMember(member) ? settings(ofMember: String(member)) : nil
    }

    /// The time before its end in which a key is reported.
    package static let warnedMilliseconds = 14 * 86_400_000

    /// Returns a warning if the key ends within 14 days or has ended; nil if it is switched off.
    package func endWarning(at milliseconds: Int) -> String? {
        guard let endsAt, endsAt != .min, endsAt - milliseconds < Self.warnedMilliseconds else { return nil }
        if endsAt > milliseconds { return "the key is refused from \(Timestamp.text(second: endsAt / 1_000)) on" }
        return "is past, so the key is refused (401); set a later time, or remove the key"
    }
}

/// The settings of a group of known callers. They share the group's limits, besides their own.
package struct GroupSettings: Sendable, Equatable {
    /// The name of the group, such as `eng` for `GROUP_ENG_RATE_LIMIT`.
    package let name: String
    package let identity: Identity
    /// The models that a caller must be permitted by the group, too.
    package let models: [ModelPattern]
    /// The limits of all members together, and of each session and end user of each member.
    package let limits: OwnLimits
}

/// The limits in the settings of a known caller, or of a group of callers.
package struct OwnLimits: Sendable, Equatable {
    /// The limits that count requests to all endpoints together.
    package let all: [Quota]
    /// The limits by endpoint group, besides `all`.
    package let endpoints: [EndpointGroup: [Quota]]
    /// The limits of each session; nil if those of a caller's groups, or the general ones, apply.
    let session: [Quota]?
    /// The limits of each end user; nil if those of a caller's groups, or the general ones, apply.
    let user: [Quota]?

    /// The limits that count all requests of a caller or group.
    fileprivate var ofRequests: [Quota] { all + endpoints.values.joined() }
}

/// The digest of a caller's token, and a secret derived from the token. The token itself is not stored.
package struct KeyToken: Sendable, Equatable {
    package let digest: Digest
    /// The secret that encrypts the caller's file ids. It is derived from the token.
    package let fileSecret: [UInt8]

    init(_ token: String) {
        digest = Digest(of: token)
        fileSecret = Self.fileSecret(of: token)
    }

    package static func fileSecret(of token: String) -> [UInt8] {
        hkdf(Array(token.utf8), salt: [], info: Array("secret of file ids".utf8), count: SealingKey.byteCount)
    }
}

extension KeySettings {
    /// The caller's name in the names of settings, such as `TEAM_A` in `KEY_TEAM_A_TOKEN`.
    var instance: String { family?.instance ?? name.asInstance }

    package var identity: Identity { .knownKey(named: member.map { "\(instance).\($0)" } ?? instance) }

    /// The setting that declares the caller.
    package var declaring: SettingKey {
        Self.key(instance, family.map { $0.rule == nil ? "SECRET" : "JWT_ISSUER" } ?? "TOKEN")
    }

    /// All limits that count requests of this caller and of no caller outside its groups.
    var allQuotas: [Quota] {
        limits.ofRequests + (ownSessionQuotas ?? []) + (ownUserQuotas ?? []) + groups.flatMap(\.limits.ofRequests)
    }

    /// The limits of each session, of the caller or else of the first of its groups that has some; nil if none has.
    var ownSessionQuotas: [Quota]? { limits.session ?? groups.lazy.compactMap(\.limits.session).first }

    /// The limits of each end user, of the caller or else of the first of its groups that has some; nil if none has.
    var ownUserQuotas: [Quota]? { limits.user ?? groups.lazy.compactMap(\.limits.user).first }
}

extension [KeySettings] {
    /// Returns the settings of the caller with this name, or of the member, such as `class.ann`; nil if there is none.
    package func named(_ name: String) -> KeySettings? {
        let (instance, member) = Self.parts(of: name)
        guard let key = first(where: { $0.name.asInstance == instance }) else { return nil }
        return member.map { key.settings(named: $0) } ?? key
    }

    /// Returns the callers with the members of families that have these names. A family without such a member stays.
    package func withMembers(named names: some Sequence<String>) -> [KeySettings] {
        let families = filter { $0.family != nil }.map { ($0.name.asInstance, $0) }
        let byInstance = Dictionary(families) { first, _ in first }
        var members: [String: [KeySettings]] = [:]
        for name in names {
            guard case (let instance, let member?) = Self.parts(of: name), let family = byInstance[instance],
                let settings = family.settings(named: member)
            else { continue }
            members[family.name, default: []].append(settings)
        }
        return flatMap { key in members[key.name].map { $0.sorted { $0.name < $1.name } } ?? [key] }
    }

    /// Returns the two parts of a caller's name: that of a key as its settings contain it, and the member's behind a dot.
    private static func parts(of name: String) -> (instance: String, member: Substring?) {
        let parts = name.split(separator: ".", maxSplits: 1)
        return ((parts.first.map(String.init) ?? "").asInstance, parts.count == 2 ? parts[1] : nil)
    }

    /// The callers that can be listed: all but families, whose members are not known.
    package var single: [KeySettings] { filter { $0.family == nil } }
}
