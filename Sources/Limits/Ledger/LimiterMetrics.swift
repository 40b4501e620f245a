/// The metrics of the limits in `/metrics`, such as the number of refused requests.
package struct LimiterMetrics: Sendable {
    package enum Outcome: Int, Sendable, CaseIterable {
        case admitted
        case refused
        case storeDown
    }

    /// The number of decisions for each kind of limit and each outcome. Read them with `decisions(_:_:)`. An admitted
    /// request counts once for each of its limits.
    package private(set) var decisions = [Int](repeating: 0, count: Limit.Kind.names.count * Outcome.allCases.count)
    /// The number of requests that the rule `RATE_LIMIT_STORE_DOWN` decided without the store.
    package internal(set) var byRule = 0
    /// The number of times that a request could not be counted in the store in time.
    package internal(set) var expired = 0
    /// The number of times that a bucket ended before a request could use the units counted in it.
    package internal(set) var late = 0
    package internal(set) var reads = 0
    package internal(set) var readRecords = 0
    package internal(set) var writes = 0
    package internal(set) var lostRaces = 0
    package internal(set) var refusedWrites = 0
    package internal(set) var failures = 0
    package internal(set) var probes = 0
    /// The total duration of the past outages of the store's servers, in seconds.
    package internal(set) var downSeconds = 0
    package internal(set) var serversDown = 0
    package internal(set) var accounts = 0
    /// The number of leases that were opened.
    package internal(set) var leases = 0
    /// The sum of the units of all leases that were opened.
    package internal(set) var leasedUnits = 0
    /// The unused units of the open leases.
    package internal(set) var openUnits = 0
    /// The slots that requests of this instance hold.
    package internal(set) var slots = 0
    /// The number of records that the store lost and that this instance wrote again.
    package internal(set) var rejoined = 0
    package internal(set) var instances = 0
    /// The number of requests that wait for their turn.
    package internal(set) var waiting = 0
    /// The waits of admitted requests for their turn, by the index of the kind of limit.
    package internal(set) var waits = [TurnWaits](repeating: TurnWaits(), count: Limit.Kind.names.count)
    /// The number of requests for each outcome of their wait. Read them with `turns(_:)`.
    private var turns = [Int](repeating: 0, count: TurnOutcome.allCases.count)
    /// The error of this machine's clock: its time minus the store's time, in milliseconds; nil if unknown.
    package internal(set) var clockMilliseconds: Int?
    /// The milliseconds that the relay subtracts from this machine's clock.
    package internal(set) var correctionMilliseconds = 0

    package func turns(_ outcome: TurnOutcome) -> Int { turns[outcome.rawValue] }

    mutating func count(_ outcome: TurnOutcome) { turns[outcome.rawValue] += 1 }

    package func decisions(_ kind: Limit.Kind, _ outcome: Outcome) -> Int { decisions[Self.index(kind, outcome)] }

    /// Returns the number of decisions with this outcome for one kind of limit.
    /// - Parameter kind: the index of the limit's kind in `Limit.Kind.names`.
    package func decisions(_ kind: Int, _ outcome: Outcome) -> Int {
        decisions[kind * Outcome.allCases.count + outcome.rawValue]
    }

    mutating func count(_ outcome: Outcome, _ kind: Limit.Kind) { decisions[Self.index(kind, outcome)] += 1 }

    private static func index(_ kind: Limit.Kind, _ outcome: Outcome) -> Int {
        kind.index * Outcome.allCases.count + outcome.rawValue
    }
}

extension Ledger {
    var figures: LimiterMetrics {
        var figures = metrics
        figures.serversDown = servers.count { $0.isDown }
        figures.accounts = accounts.count
        figures.leases = sums.leases
        figures.leasedUnits = sums.leasedUnits
        figures.openUnits = sums.openUnits
        figures.slots = sums.slots
        figures.rejoined = sums.rejoined
        figures.waiting = turns.count
        figures.instances = instancesSeen
        figures.clockMilliseconds = clock.difference.map { $0 / 1_000 }
        figures.correctionMilliseconds = clock.correction / 1_000
        return figures
    }
}
