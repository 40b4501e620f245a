package import Engine
import Synchronization

/// The keys from a provider's settings, used in turn in proportion to their weights. All event loops share one ring.
package final class KeyRing: KeyCooldowns {
    private struct KeyState {
        let weight: Double
        /// The number of turns that the key has had. Turns missed in a cooldown count too, so that the key does not get
        /// them later.
        var chosen = 0.0
        var rest: KeyCooldown?
        /// The failure that began the cooldown, and its time; nil without a cooldown, or if the failure is not known.
        var trouble: (cause: String, beganAt: LoopTime)?

        /// The number of the key's next turn, divided by its weight. The key with the lowest value is next.
        var nextTurn: Double { (chosen + 1) / weight }

        func isAvailable(at now: LoopTime) -> Bool { rest.map { $0.mayBeTried(at: now) } ?? true }
    }

    private let credentials: [Credential]
    private let keyStates: Lock<[KeyState]>
    /// Whether some key is in cooldown, or has not served a call since its cooldown.
    private let cooldowns = Atomic<Bool>(false)
    package let cooldownRingCount: CooldownRingCount
    /// The provider's name, and the log of its state changes; nil if changes are not logged.
    private let notices: (provider: String, setting: String, all: ProviderNotices)?
    /// The lowest `nextTurn` of all keys, as the bit pattern of a `Double`.
    private let leastTurn: Atomic<UInt64>

    /// - Parameters:
    ///   - keys: the provider's keys, at least one.
    ///   - weights: one weight above 0 for each key.
    ///   - cooldownRingCount: the counter of rings with keys in cooldown.
    ///   - old: the ring that this one replaces. Keys in both rings keep their cooldowns.
    ///   - notices: the provider's name, the setting with its keys, and the log of its state changes; nil if changes are not logged.
    package init(
        _ keys: [String],
        weights: [Double],
        telling cooldownRingCount: CooldownRingCount = CooldownRingCount(),
        after old: KeyRing? = nil,
        notices: (provider: String, setting: String, all: ProviderNotices)? = nil
    ) {
        self.cooldownRingCount = cooldownRingCount
        self.notices = notices
        precondition(!keys.isEmpty && keys.count == weights.count)
        credentials = keys.enumerated().map { Credential(own: $1, label: "k\($0 + 1)") }
        let keyStates = zip(keys, weights).map { key, weight in
            let before = old?.state(ofKey: key)
            return KeyState(weight: weight, rest: before?.rest, trouble: before?.trouble)
        }
        leastTurn = Atomic(Self.leastTurn(of: keyStates).bitPattern)
        self.keyStates = Lock(keyStates)
        guard keyStates.contains(where: { $0.rest != nil }) else { return }
        cooldowns.store(true, ordering: .relaxed)
        cooldownRingCount.add(1)
    }

    /// Returns the state of a key, whose cooldown is kept in a new ring; nil if the ring has no such key.
    private func state(ofKey key: String) -> KeyState? {
        guard let index = credentials.firstIndex(where: { $0.key == key }) else { return nil }
        var state = keyStates.withLock { $0[index] }
        state.rest?.endTrial()
        return state
    }

    var hasCooldowns: Bool { cooldowns.load(ordering: .relaxed) }

    private static func leastTurn(of keyStates: [KeyState]) -> Double {
        keyStates.reduce(.infinity) { min($0, $1.nextTurn) }
    }

    /// The keys with their weights, in the order of the settings.
    package var all: [(credential: Credential, weight: Double)] {
        zip(credentials, keyStates.withLock { $0.map(\.weight) }).map { ($0, $1) }
    }

    package var isSingle: Bool { credentials.count == 1 }

    /// Returns the key with this account number, which file ids contain; nil if the ring has no such key.
    func credential(ofAccount account: UInt64) -> Credential? { credentials.first { $0.accountNumber == account } }

    /// Returns whether at least one key can be used now. A key in cooldown cannot be used.
    func isAvailable(at now: LoopTime) -> Bool {
        guard hasCooldowns else { return true }
        return keyStates.withLock { keyStates in keyStates.contains { $0.isAvailable(at: now) } }
    }

    /// Takes the next key. If all keys are in cooldown, takes the key whose cooldown ends first.
    func next(at now: LoopTime) -> Credential {
        // A single key without a cooldown needs no choice.
        if credentials.count == 1, !hasCooldowns { return credentials[0] }
        if let available = next(at: now, besides: []) { return available }
        let first = indexOfSoonest
        keyStates.withLock { $0[first].rest?.tryOnce(at: now) }
        return credentials[first]
    }

    /// Takes the next key that is neither in cooldown nor in `tried`; returns nil if no such key is left.
    func next(at now: LoopTime, besides tried: Set<String>, _ choice: KeyChoice = KeyChoice()) -> Credential? {
        keyStates.withLock { keyStates in
            var best: (index: Int, rank: KeyChoice.Rank)?
            for (index, state) in keyStates.enumerated() where state.isAvailable(at: now) && !isIn(tried, index) {
                let rank = choice.rank(credentials[index], state.weight, state.nextTurn)
                if best.map({ rank < $0.rank }) ?? true { best = (index, rank) }
            }
            guard let best else { return nil }
            keyStates[best.index].rest?.tryOnce(at: now)
            select(best.index, of: &keyStates, isTurn: choice.takesTurn, at: now)
            return credentials[best.index]
        }
    }

    /// Returns the keys that are neither in cooldown nor in `tried`, best first, without choosing one.
    func order(at now: LoopTime, besides tried: Set<String>, _ choice: KeyChoice = KeyChoice()) -> [Credential] {
        ranked(at: now, besides: tried, choice).map { credentials[$0.index] }
    }

    /// Returns the keys that are not in cooldown with their ranks, best first, without choosing one.
    func ranks(at now: LoopTime, _ choice: KeyChoice) -> [(credential: Credential, rank: KeyChoice.Rank)] {
        ranked(at: now, besides: [], choice).map { (credentials[$0.index], $0.rank) }
    }

    /// Returns the rank of the best key, without choosing the key; nil if all keys are in cooldown.
    func best(at now: LoopTime, _ choice: KeyChoice) -> KeyChoice.Rank? {
        if !hasCooldowns, choice.isByTurn {
            return KeyChoice.Rank(load: 0, turn: Double(bitPattern: leastTurn.load(ordering: .relaxed)))
        }
        return ranked(at: now, besides: [], choice).first?.rank
    }

    private func ranked(
        at now: LoopTime,
        besides tried: Set<String>,
        _ choice: KeyChoice
    ) -> [(index: Int, rank: KeyChoice.Rank)] {
        let keyStates = keyStates.withLock { $0 }
        var all: [(index: Int, rank: KeyChoice.Rank)] = []
        for (index, state) in keyStates.enumerated() where state.isAvailable(at: now) && !isIn(tried, index) {
            all.append((index, choice.rank(credentials[index], state.weight, state.nextTurn)))
        }
        return all.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }
    }

    /// Records that a call with the key begins, and returns true. Returns false if the key is in cooldown or has a
    /// running trial call.
    func begins(_ credential: Credential, at now: LoopTime) -> Bool {
        guard hasCooldowns, let index = index(of: credential) else { return true }
        return keyStates.withLock { keyStates in
            guard keyStates[index].isAvailable(at: now) else { return false }
            keyStates[index].rest?.tryOnce(at: now)
            return true
        }
    }

    /// Ends the trial call of a key because the call was not made.
    func endTrial(_ credential: Credential) {
        guard hasCooldowns else { return }
        change(credential) { $0?.endTrial() }
    }

    /// Records that a call uses the key.
    /// - Parameters:
    ///   - isTurn: whether the call counts as a turn of the key.
    ///   - hasBegun: whether `begins` has recorded the call.
    func took(_ credential: Credential, isTurn: Bool, hasBegun: Bool, at now: LoopTime) {
        guard let index = index(of: credential) else { return }
        keyStates.withLock { keyStates in
            if !hasBegun { keyStates[index].rest?.tryOnce(at: now) }
            select(index, of: &keyStates, isTurn: isTurn, at: now)
        }
    }

    private func index(of credential: Credential) -> Int? { credentials.firstIndex { $0.label == credential.label } }

    private func select(_ index: Int, of keyStates: inout [KeyState], isTurn: Bool, at now: LoopTime) {
        guard isTurn else { return }
        let turn = keyStates[index].nextTurn
        keyStates[index].chosen += 1
        // A key that is in cooldown now must not get extra turns for this time later.
        for other in keyStates.indices where other != index && !keyStates[other].isAvailable(at: now) {
            keyStates[other].chosen = max(keyStates[other].chosen, turn * keyStates[other].weight)
        }
        leastTurn.store(Self.leastTurn(of: keyStates).bitPattern, ordering: .relaxed)
    }

    private func isIn(_ tried: Set<String>, _ index: Int) -> Bool {
        if tried.isEmpty { return false }
        return credentials[index].label.map(tried.contains) ?? false
    }

    /// The key whose cooldown ends first. Used if all keys are in cooldown.
    var soonest: Credential { credentials[indexOfSoonest] }

    /// The end of the cooldown that ends first; in the past if some key has none.
    var soonestEnd: LoopTime { keyStates.withLock { $0.map { $0.rest?.endsAt ?? .distantPast }.min() } ?? .distantPast }

    private var indexOfSoonest: Int {
        let ends = keyStates.withLock { $0.map { $0.rest?.endsAt ?? .distantPast } }
        return ends.indices.min { ends[$0] < ends[$1] } ?? 0
    }

    /// Returns the labels of the keys that are in cooldown, such as `k1`.
    func cooldown(at now: LoopTime) -> [String] {
        guard hasCooldowns else { return [] }
        let cooldowns = keyStates.withLock { keyStates in keyStates.map { $0.rest.map { now < $0.endsAt } ?? false } }
        return zip(credentials, cooldowns).compactMap { $1 ? $0.label : nil }
    }

    /// A key with its weight, and its cooldown if it has one.
    struct KeyStanding {
        let credential: Credential
        let weight: Double
        /// The end of the cooldown; nil if the key was not in cooldown since it last served a call.
        let cooldownEnd: LoopTime?
        /// The failure that began the cooldown, and its time; nil if it is not known.
        let trouble: (cause: String, beganAt: LoopTime)?
    }

    /// All keys with their cooldowns, in the order of the settings.
    var standings: [KeyStanding] {
        zip(credentials, keyStates.withLock { $0 }).map { credential, state in
            KeyStanding(
                credential: credential,
                weight: state.weight,
                cooldownEnd: state.rest?.endsAt,
                trouble: state.trouble
            )
        }
    }

    /// Ends the cooldown of the key with this label. Returns false if there is no such key.
    func resume(_ name: String) -> Bool {
        guard let credential = credentials.first(where: { $0.label == name }) else { return false }
        resume(credential)
        return true
    }

    /// Ends the cooldowns of all keys.
    func resumeAll() { for credential in credentials { resume(credential) } }

    private func resume(_ credential: Credential) {
        change(credential) { $0 = nil }
        report(of: credential) { $0.ends($1, at: .current()) }
    }

    private func report(of credential: Credential, _ body: (ProviderNotices, ProviderNotices.State) -> Void) {
        guard let notices, let key = credential.label else { return }
        body(notices.all, .keyRefused(provider: notices.provider, key: key, setting: notices.setting))
    }

    package func served(_ credential: Credential, begun: LoopTime) {
        guard hasCooldowns else { return }
        var isOver = false
        change(credential) { cooldown in
            guard let rest = cooldown, !rest.began(after: begun) else { return }
            if cooldown?.endTrial(servedAmong: cooldownRingCount.areAwaited) ?? true { cooldown = nil }
            isOver = true
        }
        if isOver { report(of: credential) { $0.ends($1, at: .current()) } }
    }

    package func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime) {
        failed(credential, error.cooldown, begun: begun, at: now)
        guard error.cooldown != nil, let index = index(of: credential) else { return }
        let cause = error.loggedCause(hiding: credential)
        let end = keyStates.withLock { keyStates -> LoopTime? in
            // A call on another event loop may have ended the cooldown.
            guard let rest = keyStates[index].rest else { return nil }
            keyStates[index].trouble = (cause, keyStates[index].trouble?.beganAt ?? now)
            return rest.endsAt
        }
        if error.kind.isRefusalOfKey { report(of: credential) { $0.begins($1, at: now, cause, until: end) } }
    }

    /// Records that a call with the key failed.
    /// - Parameter rest: the cooldown that begins; nil if the failure says nothing about the key.
    func failed(_ credential: Credential, _ rest: UpstreamError.Cooldown?, begun: LoopTime, at now: LoopTime) {
        guard rest != nil || hasCooldowns else { return }
        change(credential) { cooldown in
            let isOld = cooldown.map { $0.began(after: begun) } ?? false
            guard let rest else {
                if !isOld { cooldown?.endTrial() }
                return
            }
            let next = KeyCooldown(rest, at: now, after: cooldown)
            if let known = cooldown, isOld, next.endsAt < known.endsAt { return }
            cooldown = next
        }
    }

    private func change(_ credential: Credential, _ body: (inout KeyCooldown?) -> Void) {
        guard let index = index(of: credential) else { return }
        keyStates.withLock { keyStates in
            body(&keyStates[index].rest)
            if keyStates[index].rest == nil { keyStates[index].trouble = nil }
            let isSome = keyStates.contains { $0.rest != nil }
            let wasSome = cooldowns.exchange(isSome, ordering: .relaxed)
            if isSome != wasSome { cooldownRingCount.add(isSome ? 1 : -1) }
        }
    }
}

extension UpstreamError.Kind {
    /// Whether the vendor refuses the key, or the key's account has no credit.
    fileprivate var isRefusalOfKey: Bool { self == .badKey || self == .outOfCredit || self == .forbidden }
}

/// A counter of the key rings that have a key in cooldown.
package final class CooldownRingCount: Sendable {
    private let count = Atomic(0)
    private let awaited = Atomic(false)

    package init() {}

    /// Whether requests wait for keys in cooldown, so that calls with a key begin again by rounds.
    package var areAwaited: Bool {
        get { awaited.load(ordering: .relaxed) }
        set { awaited.store(newValue, ordering: .relaxed) }
    }

    var isZero: Bool { count.load(ordering: .relaxed) == 0 }

    fileprivate func add(_ difference: Int) { count.add(difference, ordering: .relaxed) }
}
