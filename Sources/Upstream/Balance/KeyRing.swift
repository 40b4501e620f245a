package import Calls
import Engine
import Synchronization

/// A provider's own keys, taken in turn by all loops: each as often as its weight says, and as evenly as can be. A key
/// that failed rests; after that one call tries it, and the others wait for the outcome.
package final class KeyRing: KeyRests {
    private struct Place {
        let weight: Double
        var credit = 0.0
        var rest: RestingKey?

        func isAvailable(at now: UInt64) -> Bool { rest.map { $0.mayBeTried(at: now) } ?? true }
    }

    private let credentials: [Credential]
    private let places: Lock<[Place]>
    /// Some key rests, or did until it was tried.
    private let hasRests = Atomic<Bool>(false)

    /// - Parameters:
    ///   - keys: at least one.
    ///   - weights: above 0, one for each key.
    package init(_ keys: [String], weights: [Double]) {
        precondition(!keys.isEmpty && keys.count == weights.count)
        credentials = keys.enumerated().map { Credential(own: $1, label: "k\($0 + 1)") }
        places = Lock(weights.map { Place(weight: $0) })
    }

    package var isSingle: Bool { credentials.count == 1 }

    /// The one of that account; nil: it is not among these.
    func credential(ofAccount account: UInt64) -> Credential? {
        credentials.first { $0.accountNumber == account }
    }

    /// False: all keys rest.
    func isAvailable(at now: UInt64) -> Bool {
        guard hasRests.load(ordering: .relaxed) else { return true }
        return places.withLock { places in places.contains { $0.isAvailable(at: now) } }
    }

    /// Takes the turn of a key. If all rest, the one that is due first.
    func next(at now: UInt64) -> Credential {
        // There is nothing to choose.
        if credentials.count == 1, !hasRests.load(ordering: .relaxed) { return credentials[0] }
        return next(at: now, besides: []) ?? soonest(at: now)
    }

    /// Takes the turn of a key that does not rest and is not in `tried`; nil: there is none.
    func next(at now: UInt64, besides tried: Set<String>) -> Credential? {
        let chosen: Int? = places.withLock { places in
            var best: Int?
            var sum = 0.0
            for index in places.indices where places[index].isAvailable(at: now) && !isIn(tried, index) {
                sum += places[index].weight
                places[index].credit += places[index].weight
                if best.map({ places[index].credit > places[$0].credit }) ?? true { best = index }
            }
            guard let best else { return nil }
            places[best].credit -= sum
            places[best].rest?.tryOnce(at: now)
            return best
        }
        return chosen.map { credentials[$0] }
    }

    private func isIn(_ tried: Set<String>, _ index: Int) -> Bool {
        if tried.isEmpty { return false }
        return credentials[index].label.map(tried.contains) ?? false
    }

    private func soonest(at now: UInt64) -> Credential {
        let chosen = places.withLock { places in
            let ends = places.map { $0.rest?.endsAt ?? 0 }
            let first = ends.indices.min { ends[$0] < ends[$1] } ?? 0
            places[first].rest?.tryOnce(at: now)
            return first
        }
        return credentials[chosen]
    }

    /// The names of the keys that rest.
    func resting(at now: UInt64) -> [String] {
        guard hasRests.load(ordering: .relaxed) else { return [] }
        let rests = places.withLock { places in places.map { $0.rest.map { now < $0.endsAt } ?? false } }
        return zip(credentials, rests).compactMap { $1 ? $0.label : nil }
    }

    package func served(_ credential: Credential) {
        guard hasRests.load(ordering: .relaxed) else { return }
        change(credential) { $0 = nil }
    }

    package func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, at now: UInt64) {
        guard rest != nil || hasRests.load(ordering: .relaxed) else { return }
        change(credential) { resting in
            if let rest {
                resting = RestingKey(rest, at: now, after: resting)
            } else {
                resting?.endTrial()
            }
        }
    }

    private func change(_ credential: Credential, _ body: (inout RestingKey?) -> Void) {
        guard let index = credentials.firstIndex(where: { $0.label == credential.label }) else { return }
        places.withLock { places in
            body(&places[index].rest)
            hasRests.store(places.contains { $0.rest != nil }, ordering: .relaxed)
        }
    }
}

/// The rest of a key, in nanoseconds of the loops' clock.
struct RestingKey {
    private let rest: UpstreamError.Rest
    private let seconds: Int
    let endsAt: UInt64
    /// While it is tried.
    private var trialEndsAt: UInt64 = 0

    /// The longest, whatever a vendor says.
    static let longestSeconds = 86_400
    /// The longest that a trial without an outcome holds others up.
    private static let trialNanoseconds: UInt64 = 60_000_000_000

    /// - Parameter last: the rest before, if no call was served since.
    init(_ rest: UpstreamError.Rest, at now: UInt64, after last: RestingKey?) {
        self.rest = rest
        switch rest {
        case .fixed(let seconds), .told(let seconds): self.seconds = min(max(seconds, 1), Self.longestSeconds)
        case .doubling(let first, let most):
            if let last, last.rest == rest {
                // Calls that ran at the same time fail together, and are one failure.
                seconds = now < last.endsAt && last.trialEndsAt == 0 ? last.seconds : min(2 * last.seconds, most)
            } else {
                seconds = first
            }
        }
        endsAt = now + UInt64(seconds) * 1_000_000_000
    }

    func mayBeTried(at now: UInt64) -> Bool { now >= endsAt && now >= trialEndsAt }

    mutating func tryOnce(at now: UInt64) { trialEndsAt = now + Self.trialNanoseconds }

    mutating func endTrial() { trialEndsAt = 0 }
}
