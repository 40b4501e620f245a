package import Calls
package import Engine
import Synchronization

/// A provider's own keys, taken in turn by all loops: each as often as its weight says, and as evenly as can be. A key
/// that failed rests; after that one call tries it, and the others wait for the outcome.
package final class KeyRing: KeyRests {
    private struct Place {
        let weight: Double
        /// The calls that it was chosen for, or would have been had it not been left out.
        var chosen = 0.0
        var rest: RestingKey?

        /// Its share of all calls would be this much after one more.
        var nextTurn: Double { (chosen + 1) / weight }

        func isAvailable(at now: LoopTime) -> Bool { rest.map { $0.mayBeTried(at: now) } ?? true }
    }

    private let credentials: [Credential]
    private let places: Lock<[Place]>
    /// Some key rests, or did until it was tried.
    private let rests = Atomic<Bool>(false)
    let restCount: RestCount
    /// The least `nextTurn` of all keys, as the bits of a number.
    private let leastTurn: Atomic<UInt64>

    /// - Parameters:
    ///   - keys: at least one.
    ///   - weights: above 0, one for each key.
    ///   - restCount: is told when this ring begins or ends to have keys that rest.
    ///   - old: a ring that this one replaces: keys of both rest on.
    package init(
        _ keys: [String],
        weights: [Double],
        telling restCount: RestCount = RestCount(),
        after old: KeyRing? = nil
    ) {
        self.restCount = restCount
        precondition(!keys.isEmpty && keys.count == weights.count)
        credentials = keys.enumerated().map { Credential(own: $1, label: "k\($0 + 1)") }
        let places = zip(keys, weights).map { Place(weight: $1, rest: old?.rest(ofKey: $0)) }
        leastTurn = Atomic(Self.leastTurn(of: places).bitPattern)
        self.places = Lock(places)
        guard places.contains(where: { $0.rest != nil }) else { return }
        rests.store(true, ordering: .relaxed)
        restCount.add(1)
    }

    /// Whoever tries the key does not tell the outcome to the ring that goes on.
    private func rest(ofKey key: String) -> RestingKey? {
        guard let index = credentials.firstIndex(where: { $0.key == key }) else { return nil }
        var rest = places.withLock { $0[index].rest }
        rest?.endTrial()
        return rest
    }

    var hasRests: Bool { rests.load(ordering: .relaxed) }

    private static func leastTurn(of places: [Place]) -> Double { places.reduce(.infinity) { min($0, $1.nextTurn) } }

    /// All of them, with their weights, in the order of the settings.
    package var all: [(credential: Credential, weight: Double)] {
        zip(credentials, places.withLock { $0.map(\.weight) }).map { ($0, $1) }
    }

    package var isSingle: Bool { credentials.count == 1 }

    /// The one of that account; nil: it is not among these.
    func credential(ofAccount account: UInt64) -> Credential? {
        credentials.first { $0.accountNumber == account }
    }

    /// False: all keys rest.
    func isAvailable(at now: LoopTime) -> Bool {
        guard hasRests else { return true }
        return places.withLock { places in places.contains { $0.isAvailable(at: now) } }
    }

    /// Takes the turn of a key. If all rest, the one that is due first.
    func next(at now: LoopTime) -> Credential {
        // There is nothing to choose.
        if credentials.count == 1, !hasRests { return credentials[0] }
        if let available = next(at: now, besides: []) { return available }
        let first = placeOfSoonest
        places.withLock { $0[first].rest?.tryOnce(at: now) }
        return credentials[first]
    }

    /// Takes the turn of a key that does not rest and is not in `tried`; nil: there is none.
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

    /// The keys that do not rest and are not in `tried`, the one whose turn it is first.
    func order(at now: LoopTime, besides tried: Set<String>, _ choice: KeyChoice = KeyChoice()) -> [Credential] {
        ranked(at: now, besides: tried, choice).map { credentials[$0.place] }
    }

    /// Of the one whose turn it is; nil: all rest.
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

    /// False: the key has rested, and another call is its trial. Else this one is, if it has rested.
    func begins(_ credential: Credential, at now: LoopTime) -> Bool {
        guard hasRests, let index = index(of: credential) else { return true }
        return places.withLock { places in
            guard places[index].isAvailable(at: now) else { return false }
            places[index].rest?.tryOnce(at: now)
            return true
        }
    }

    /// There was no room for a call that had begun.
    func gaveUp(_ credential: Credential) {
        guard hasRests else { return }
        change(credential) { $0?.endTrial() }
    }

    /// The key is used.
    func took(_ credential: Credential, at now: LoopTime) {
        guard let index = index(of: credential) else { return }
        places.withLock { take(index, of: &$0, at: now) }
    }

    private func index(of credential: Credential) -> Int? { credentials.firstIndex { $0.label == credential.label } }

    private func take(_ index: Int, of places: inout [Place], at now: LoopTime) {
        let turn = places[index].nextTurn
        places[index].chosen += 1
        places[index].rest?.tryOnce(at: now)
        // Whoever is left out now does not make up for it later.
        for other in places.indices where other != index && !places[other].isAvailable(at: now) {
            places[other].chosen = max(places[other].chosen, turn * places[other].weight)
        }
        leastTurn.store(Self.leastTurn(of: places).bitPattern, ordering: .relaxed)
    }

    private func isIn(_ tried: Set<String>, _ index: Int) -> Bool {
        if tried.isEmpty { return false }
        return credentials[index].label.map(tried.contains) ?? false
    }

    /// Of keys that all rest, the one that is due first.
    var soonest: Credential { credentials[placeOfSoonest] }

    private var placeOfSoonest: Int {
        let ends = places.withLock { $0.map { $0.rest?.endsAt ?? .distantPast } }
        return ends.indices.min { ends[$0] < ends[$1] } ?? 0
    }

    /// The names of the keys that rest.
    func resting(at now: LoopTime) -> [String] {
        guard hasRests else { return [] }
        let rests = places.withLock { places in places.map { $0.rest.map { now < $0.endsAt } ?? false } }
        return zip(credentials, rests).compactMap { $1 ? $0.label : nil }
    }

    /// All keys with their weights, and the end of a cooldown where there is one.
    func states(at now: LoopTime) -> [(credential: Credential, weight: Double, restsUntil: LoopTime?)] {
        let places = places.withLock { $0 }
        return zip(credentials, places).map { credential, place in
            (credential, place.weight, place.rest.flatMap { now < $0.endsAt ? $0.endsAt : nil })
        }
    }

    /// Ends the cooldown of the key of this name. Returns false if there is no such key.
    func resume(_ name: String) -> Bool {
        guard let credential = credentials.first(where: { $0.label == name }) else { return false }
        change(credential) { $0 = nil }
        return true
    }

    /// Ends the cooldowns of all keys.
    func resumeAll() { for credential in credentials { change(credential) { $0 = nil } } }

    package func served(_ credential: Credential, begun: LoopTime) {
        guard hasRests else { return }
        change(credential) { if $0.map({ !$0.began(after: begun) }) ?? false { $0 = nil } }
    }

    package func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, begun: LoopTime, at now: LoopTime) {
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

/// The number of rings that have keys which rest: one look in place of one at each of them.
package final class RestCount: Sendable {
    private let count = Atomic(0)

    package init() {}

    var isZero: Bool { count.load(ordering: .relaxed) == 0 }

    fileprivate func add(_ difference: Int) { count.add(difference, ordering: .relaxed) }
}
