import Engine
import Limits
import Shared
import Upstream

/// The facts by which limits apply to a request that may wait, also those that only other settings need.
struct TurnFacts: Sendable {
    let caller: Caller
    let group: EndpointGroup
    /// The name of the model that serves the request; nil if none does.
    var served: String?
    /// The user whom the body names.
    var user = EndUser()
}

/// The wait of a request for its turn.
struct TurnRequest {
    let facts: TurnFacts
    let usageReservation: UsageReservation?
    let wait: LoopWait
}

extension Exchange {
    /// Returns the limits of a waiting request under these settings; nil if they are the same, or if its key is no longer
    /// accepted.
    func change(of turn: TurnRequest, under setup: Setup) -> ChangedLimits? {
        do throws(APIError) {
            let facts = turn.facts
            var demand = setup.limits.demand(of: try caller(like: facts.caller, under: setup), facts.group, request)
            if let served = facts.served {
                setup.registry.setModel(of: &demand, served, asked: record.model ?? served, setup.limits)
            }
            if setup.limits.countsUsers { demand.user.add(facts.user) }
            let charges = setup.limits.applicableLimits(demand).charges(of: turn.usageReservation)
            if let present = gateway.limiter.charges(of: turn.wait), charges.haveLimits(of: present) { return nil }
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
        var next = try setup.callers.caller(of: request)?.caller
        if next == nil, let key = present.name.flatMap(setup.settings.keys.named) {
            next = try Callers.checked(Caller(known: key))
        }
        guard let next, next.identity == present.identity else { throw .wrongKey("") }
        return next
    }
}
