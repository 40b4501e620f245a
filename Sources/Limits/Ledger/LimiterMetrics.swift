/// The figures of limits in `/metrics`. Plain numbers: they change under the ledger's lock and are read as one copy.
package struct LimiterMetrics: Sendable {
    package enum Outcome: Int, Sendable, CaseIterable {
        case admitted
        case refused
        case storeDown
    }

    /// By `Limit.Kind.places`, then by outcome. A request counts once for each limit that admitted it, and once for
    /// the limit that refused it.
    package private(set) var decisions = [Int](repeating: 0, count: Limit.Kind.places.count * Outcome.allCases.count)
    /// Requests decided without the store by `RATE_LIMIT_STORE_DOWN`.
    package internal(set) var byRule = 0
    /// Requests whose time was up before they were counted in the store, or that lost a race for what was nearly full.
    package internal(set) var expired = 0
    /// Answers that came after their bucket's end.
    package internal(set) var late = 0
    package internal(set) var reads = 0
    package internal(set) var readRecords = 0
    package internal(set) var writes = 0
    package internal(set) var lostRaces = 0
    package internal(set) var refusedWrites = 0
    package internal(set) var failures = 0
    package internal(set) var probes = 0
    /// Of outages that are over.
    package internal(set) var downSeconds = 0
    package internal(set) var serversDown = 0
    package internal(set) var accounts = 0
    /// Leases opened, and the units counted by them.
    package internal(set) var leases = 0
    package internal(set) var leasedUnits = 0
    /// Units of open leases that are not spent.
    package internal(set) var openUnits = 0
    /// Slots that requests of this instance hold.
    package internal(set) var slots = 0
    /// Records that the store had lost, and got back from here.
    package internal(set) var rejoined = 0
    package internal(set) var instances = 0
    /// This machine's clock less the store's; nil: not known.
    package internal(set) var clockMilliseconds: Int?
    /// The part of it that is corrected.
    package internal(set) var correctionMilliseconds = 0

    package func decisions(_ kind: Limit.Kind, _ outcome: Outcome) -> Int { decisions[Self.place(kind, outcome)] }

    /// By the kind's place among `Limit.Kind.places`.
    package func decisions(_ place: Int, _ outcome: Outcome) -> Int {
        decisions[place * Outcome.allCases.count + outcome.rawValue]
    }

    mutating func count(_ outcome: Outcome, _ kind: Limit.Kind) { decisions[Self.place(kind, outcome)] += 1 }

    private static func place(_ kind: Limit.Kind, _ outcome: Outcome) -> Int {
        kind.place * Outcome.allCases.count + outcome.rawValue
    }
}

extension Ledger {
    /// As of now.
    var figures: LimiterMetrics {
        var figures = metrics
        figures.serversDown = servers.count { $0.isDown }
        figures.accounts = accounts.count
        figures.leases = sums.leases
        figures.leasedUnits = sums.leasedUnits
        figures.openUnits = sums.openUnits
        figures.slots = sums.slots
        figures.rejoined = sums.rejoined
        figures.instances = instancesSeen
        figures.clockMilliseconds = clock.difference.map { $0 / 1_000 }
        figures.correctionMilliseconds = clock.correction / 1_000
        return figures
    }
}
