package import Calls
package import Engine
import Synchronization

/// A provider's own keys, which all loops use in turn, in proportion to their weights and as evenly as possible. A key
/// that failed is in cooldown. After the cooldown one call tries the key, and others wait for the outcome.
package final class KeyRing: KeyRests {
    private struct Place {
        let weight: Double
        /// The calls that the key was chosen for, including those that it missed while it was left out.
        var chosen = 0.0
        var rest: RestingKey?

        /// The calls that the key will have been chosen for after one more, divided by its weight.
        var nextTurn: Double { (chosen + 1) / weight }

        func isAvailable(at now: LoopTime) -> Bool { rest.map { $0.mayBeTried(at: now) } ?? true }
    }

    private let credentials: [Credential]
    private let places: Lock<[Place]>
    /// Whether some key is in cooldown, or has not been tried successfully since its cooldown.
    private let rests = Atomic<Bool>(false)
    let restCount: RestCount
    /// The provider's name, and the log of its states; nil if nothing is logged.
    private let notices: (provider: String, all: ProviderNotices)?
    /// The lowest `nextTurn` of all keys, as the bit pattern of a `Double`.
    private let leastTurn: Atomic<UInt64>

    /// - Parameters:
    ///   - keys: the provider's keys, at least one.
    ///   - weights: one weight above 0 for each key.
    ///   - restCount: counts this ring while it has keys in cooldown.
    ///   - old: the ring that this one replaces; keys in both rings stay in cooldown.
    ///   - notices: the provider's name, and the log of its states; nil if nothing is logged.
    package init(
        _ keys: [String],
        weights: [Double],
        telling restCount: RestCount = RestCount(),
        after old: KeyRing? = nil,
        notices: (provider: String, all: ProviderNotices)? = nil
    ) {
        self.restCount = restCount
        self.notices = notices
        precondition(!keys.isEmpty && keys.count == weights.count)
        credentials = keys.enumerated().map { Credential(own: $1, label: "k\($0 + 1)") }
        let places = zip(keys, weights).map { Place(weight: $1, rest: old?.rest(ofKey: $0)) }
        leastTurn = Atomic(Self.leastTurn(of: places).bitPattern)
        self.places = Lock(places)
        guard places.contains(where: { $0.rest != nil }) else { return }
        rests.store(true, ordering: .relaxed)
        restCount.add(1)
    }

    /// Returns the cooldown of a key for a ring that replaces this one. A running trial is ended, because its outcome
    /// is reported to this ring.
    private func rest(ofKey key: String) -> RestingKey? {
        guard let index = credentials.firstIndex(where: { $0.key == key }) else { return nil }
        var rest = places.withLock { $0[index].rest }
        rest?.endTrial()
        return rest
    }

    var hasRests: Bool { rests.load(ordering: .relaxed) }

    private static func leastTurn(of places: [Place]) -> Double { places.reduce(.infinity) { min($0, $1.nextTurn) } }

    /// The keys with their weights, in the order of the settings.
    package var all: [(credential: Credential, weight: Double)] {
        zip(credentials, places.withLock { $0.map(\.weight) }).map { ($0, $1) }
    }

    package var isSingle: Bool { credentials.count == 1 }

    /// Returns the key of an account; nil if the ring does not contain it.
    func credential(ofAccount account: UInt64) -> Credential? {
        credentials.first { $0.accountNumber == account }
    }

    /// Returns whether some key is not in cooldown.
    func isAvailable(at now: LoopTime) -> Bool {
        guard hasRests else { return true }
        return places.withLock { places in places.contains { $0.isAvailable(at: now) } }
    }

    /// Takes the next key. If all keys are in cooldown, takes the one whose cooldown ends first.
    func next(at now: LoopTime) -> Credential {
        // A single key without a cooldown needs no choice.
        if credentials.count == 1, !hasRests { return credentials[0] }
        if let available = next(at: now, besides: []) { return available }
        let first = placeOfSoonest
        places.withLock { $0[first].rest?.tryOnce(at: now) }
        return credentials[first]
    }

    /// Takes the next key that is neither in cooldown nor in `tried`; nil if there is none.
    func next(at now: LoopTime, besides tried: Set<String>, _ choice: KeyChoice = KeyChoice()) -> Credential? {
        places.withLock { places in
            var best: (place: Int, rank: KeyChoice.Rank)?
            for (index, place) in places.enumerated() where place.isAvailable(at: now) && !isIn(tried, index) {
                let rank = choice.rank(credentials[index], place.weight, place.nextTurn)
                if best.map({ rank < $0.rank }) ?? true { best = (index, rank) }
            }
            guard let best else { return nil }
            take(best.place, of: &places, at: now)
            return credentials[best.place]
        }
    }

    /// Returns the keys that are neither in cooldown nor in `tried`, best first. No turn is taken.
    func order(at now: LoopTime, besides tried: Set<String>, _ choice: KeyChoice = KeyChoice()) -> [Credential] {
        ranked(at: now, besides: tried, choice).map { credentials[$0.place] }
    }

    /// Returns the rank of the best key; nil if all keys are in cooldown. No turn is taken.
    func best(at now: LoopTime, _ choice: KeyChoice) -> KeyChoice.Rank? {
        if !hasRests, choice.isByTurn {
            return KeyChoice.Rank(load: 0, turn: Double(bitPattern: leastTurn.load(ordering: .relaxed)))
        }
        return ranked(at: now, besides: [], choice).first?.rank
    }

    private func ranked(
        at now: LoopTime,
        besides tried: Set<String>,
        _ choice: KeyChoice
    ) -> [(place: Int, rank: KeyChoice.Rank)] {
        let places = places.withLock { $0 }
        var all: [(place: Int, rank: KeyChoice.Rank)] = []
        for (index, place) in places.enumerated() where place.isAvailable(at: now) && !isIn(tried, index) {
            all.append((index, choice.rank(credentials[index], place.weight, place.nextTurn)))
        }
        return all.sorted { ($0.rank, $0.place) < ($1.rank, $1.place) }
    }

    /// Returns whether a call may use the key. If the key's cooldown has ended, the call is its trial; false while
    /// another call is the trial.
    func begins(_ credential: Credential, at now: LoopTime) -> Bool {
        guard hasRests, let index = index(of: credential) else { return true }
        return places.withLock { places in
            guard places[index].isAvailable(at: now) else { return false }
            places[index].rest?.tryOnce(at: now)
            return true
        }
    }

    /// Ends the trial of a key whose call was not made, because there was no capacity.
    func gaveUp(_ credential: Credential) {
        guard hasRests else { return }
        change(credential) { $0?.endTrial() }
    }

    /// Takes the turn of this key.
    func took(_ credential: Credential, at now: LoopTime) {
        guard let index = index(of: credential) else { return }
        places.withLock { take(index, of: &$0, at: now) }
    }

    private func index(of credential: Credential) -> Int? { credentials.firstIndex { $0.label == credential.label } }

    private func take(_ index: Int, of places: inout [Place], at now: LoopTime) {
        let turn = places[index].nextTurn
        places[index].chosen += 1
        places[index].rest?.tryOnce(at: now)
        // A key that is in cooldown now must not get extra turns for this time later.
        for other in places.indices where other != index && !places[other].isAvailable(at: now) {
            places[other].chosen = max(places[other].chosen, turn * places[other].weight)
        }
        leastTurn.store(Self.leastTurn(of: places).bitPattern, ordering: .relaxed)
    }

    private func isIn(_ tried: Set<String>, _ index: Int) -> Bool {
        if tried.isEmpty { return false }
        return credentials[index].label.map(tried.contains) ?? false
    }

    /// The key whose cooldown ends first, for the case that all keys are in cooldown.
    var soonest: Credential { credentials[placeOfSoonest] }

    private var placeOfSoonest: Int {
        let ends = places.withLock { $0.map { $0.rest?.endsAt ?? .distantPast } }
        return ends.indices.min { ends[$0] < ends[$1] } ?? 0
    }

    /// Returns the names of the keys in cooldown.
    func resting(at now: LoopTime) -> [String] {
        guard hasRests else { return [] }
        let rests = places.withLock { places in places.map { $0.rest.map { now < $0.endsAt } ?? false } }
        return zip(credentials, rests).compactMap { $1 ? $0.label : nil }
    }

    /// Returns all keys with their weights and the end of their cooldown; nil as the end if there is none.
    func states(at now: LoopTime) -> [(credential: Credential, weight: Double, restsUntil: LoopTime?)] {
        let places = places.withLock { $0 }
        return zip(credentials, places).map { credential, place in
            (credential, place.weight, place.rest.flatMap { now < $0.endsAt ? $0.endsAt : nil })
        }
    }

    /// Ends the cooldown of the key of this name. Returns false if there is no such key.
    func resume(_ name: String) -> Bool {
        guard let credential = credentials.first(where: { $0.label == name }) else { return false }
        resume(credential)
        return true
    }

    /// Ends the cooldowns of all keys.
    func resumeAll() { for credential in credentials { resume(credential) } }

    private func resume(_ credential: Credential) {
        change(credential) { $0 = nil }
        tell(of: credential) { $0.ends($1, at: .current()) }
    }

    private func tell(of credential: Credential, _ body: (ProviderNotices, ProviderNotices.State) -> Void) {
        guard let notices, let key = credential.label else { return }
        body(notices.all, .keyRefused(provider: notices.provider, key: key))
    }

    package func served(_ credential: Credential, begun: LoopTime) {
        guard hasRests else { return }
        var isOver = false
        change(credential) { resting in
            guard let rest = resting, !rest.began(after: begun) else { return }
            resting = nil
            isOver = true
        }
        if isOver { tell(of: credential) { $0.ends($1, at: .current()) } }
    }

    package func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime) {
        if error.rest != nil, error.kind.isRefusalOfKey {
            tell(of: credential) { $0.begins($1, at: now, error.loggedCause(hiding: credential)) }
        }
        failed(credential, error.rest, begun: begun, at: now)
    }

    /// Records a failure of the key.
    ///
    /// - Parameter rest: the cooldown of the key; nil if the failure says nothing about the key.
    func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, begun: LoopTime, at now: LoopTime) {
        guard rest != nil || hasRests else { return }
        change(credential) { resting in
            let isOld = resting.map { $0.began(after: begun) } ?? false
            guard let rest else {
                if !isOld { resting?.endTrial() }
                return
            }
            let next = RestingKey(rest, at: now, after: resting)
            if let known = resting, isOld, next.endsAt < known.endsAt { return }
            resting = next
        }
    }

    private func change(_ credential: Credential, _ body: (inout RestingKey?) -> Void) {
        guard let index = index(of: credential) else { return }
        places.withLock { places in
            body(&places[index].rest)
            let isSome = places.contains { $0.rest != nil }
            let wasSome = rests.exchange(isSome, ordering: .relaxed)
            if isSome != wasSome { restCount.add(isSome ? 1 : -1) }
        }
    }
}

extension UpstreamError.Kind {
    /// Whether the vendor refuses the key, or its account has no credit: 401, 402 and 403.
    fileprivate var isRefusalOfKey: Bool { self == .badKey || self == .outOfCredit || self == .forbidden }
}

/// The number of key rings that have keys in cooldown. It answers for all rings in one read.
package final class RestCount: Sendable {
    private let count = Atomic(0)

    package init() {}

    var isZero: Bool { count.load(ordering: .relaxed) == 0 }

    fileprivate func add(_ difference: Int) { count.add(difference, ordering: .relaxed) }
}
