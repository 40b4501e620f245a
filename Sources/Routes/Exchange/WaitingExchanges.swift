import Engine
import Limits
import Shared
import Upstream

/// The wait of a request for its turn, with the facts by which limits apply to the request.
struct TurnRequest {
    let demand: Demand
    let usageReservation: UsageReservation?
    let wait: LoopWait

    init(_ demand: Demand, _ usageReservation: UsageReservation?, _ wait: LoopWait) {
        (self.demand, self.usageReservation, self.wait) = (demand, usageReservation, wait)
    }
}

/// The requests of one event loop that wait for their turn in limits.
final class WaitingExchanges: OnLoop, @unchecked Sendable {
    private var all: [ObjectIdentifier: (exchange: Exchange, turn: TurnRequest)] = [:]
    private let oneLoop = OneLoop()

    func insert(_ exchange: Exchange, _ turn: TurnRequest) {
        oneLoop.check()
        all[ObjectIdentifier(exchange)] = (exchange, turn)
    }

    func remove(_ exchange: Exchange) {
        oneLoop.check()
        all[ObjectIdentifier(exchange)] = nil
    }

    /// Returns the requests that have other limits under these settings. Ends the waits of those whose keys the settings do
    /// not accept.
    func changes(under setup: Setup) -> [ChangedLimits] {
        oneLoop.check()
        return all.values.compactMap { $0.exchange.change(of: $0.turn, under: setup) }
    }
}

extension Exchange {
    /// Returns the limits of a waiting request under these settings; nil if they are the same, or if its key is no longer
    /// accepted.
    fileprivate func change(of turn: TurnRequest, under setup: Setup) -> ChangedLimits? {
        do throws(APIError) {
            var demand = turn.demand
            demand.caller = try caller(like: demand.caller, under: setup)
            let charges = setup.limits.applicableLimits(demand).charges(of: turn.usageReservation)
            if charges.haveLimits(of: counted) { return nil }
            counted = charges
            return ChangedLimits(turn.wait, charges)
        } catch {
            if gateway.limiter.end(turn.wait) { refusalOfKey = error }
            return nil
        }
    }

    /// Returns the request's caller under these settings. Throws the error that a new request of its key gets, also if the
    /// key is another caller's now.
    private func caller(like present: Caller, under setup: Setup) throws(APIError) -> Caller {
        // The signature of a member's token was checked before the wait.
        let member = present.name.flatMap(setup.settings.keys.named).map(Caller.init(known:))
        guard let next = try setup.callers.caller(of: request)?.caller ?? member, next.identity == present.identity
        else {
            throw .wrongKey("")
        }
        return next
    }
}
