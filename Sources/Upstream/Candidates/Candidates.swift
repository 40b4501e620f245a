import Engine
import Limits
package import Shared

/// The candidates for a request, and the order in which they are tried.
package struct Candidates: Sendable {
    let list: CandidateList
    /// The shared state for choosing between providers; nil if the candidates are always tried in their order.
    let balance: Balance?
    let order: Order
    let caller: Identity?

    /// The order in which candidates are tried.
    package enum Order: Sendable {
        /// The order by priority. Among candidates of the same priority, the load-balancing settings decide.
        case balanced
        /// The order in which the candidates were given.
        case listed
        /// The order by free capacity: most free capacity first. Priorities are ignored.
        case byLoad
    }

    init(_ list: CandidateList, _ balance: Balance, for caller: Caller, order: Order = .balanced) {
        self.init(list, balance, caller: caller.identity, order: order)
    }

    private init(_ list: CandidateList, _ balance: Balance?, caller: Identity?, order: Order) {
        self.list = list
        self.balance = balance
        self.caller = caller
        self.order = order
    }

    /// Creates candidates that are tried in the order of the list, which must not be empty.
    package init(inOrder list: [Candidate]) { self.init(CandidateList(list), nil, caller: nil, order: .listed) }

    /// The first candidate in the order of the list.
    package var leading: Candidate { list.all[0] }

    /// Whether there is only one candidate, with one key, no capacity limit and no retries, for which nobody waits.
    package var isSingle: Bool { list.isSingle && order == .balanced && balance?.rules.isPatient != true }

    /// The first candidate that has a key outside cooldown and no open circuit breaker; the first one if none has.
    package var firstHealthy: Candidate { list.all.first(where: isHealthy) ?? leading }

    private func isHealthy(_ candidate: Candidate) -> Bool {
        guard candidate.hasAvailableKey else { return false }
        guard let balance, balance.hasFailures else { return true }
        return !balance.isOpen(candidate.breakerKey, at: candidate.loop.now)
    }

    /// Returns whether some provider can forward requests to this endpoint unchanged.
    package func canForward(_ endpoint: ForwardedEndpoint) -> Bool {
        list.all.contains { $0.forwarder(endpoint) != nil }
    }

    /// Returns whether some providers can forward requests to this endpoint unchanged and others cannot.
    package func isForwardingMixed(_ endpoint: ForwardedEndpoint) -> Bool {
        canForward(endpoint) && !list.all.allSatisfy { $0.forwarder(endpoint) != nil }
    }

    /// Returns the candidates that can forward requests to this endpoint unchanged; nil if the candidate that will
    /// probably serve the call cannot forward it.
    package func forwarding(_ endpoint: ForwardedEndpoint) -> Candidates? {
        let first = list.all.first { isHealthy($0) && !$0.isKnownFull } ?? firstHealthy
        guard first.forwarder(endpoint) != nil else { return nil }
        return replaced { $0.forwarder(endpoint) != nil ? $0 : nil }
    }

    /// Returns a copy with each candidate replaced, or removed if `replacement` returns nil. Returns nil if no
    /// candidate remains.
    package func replaced(by replacement: (Candidate) -> Candidate?) -> Candidates? {
        let all = list.all.compactMap(replacement)
        return all.isEmpty ? nil : Candidates(CandidateList(all), balance, caller: caller, order: order)
    }

    /// Returns the first candidate of the provider; nil if the provider has none.
    package func first(of provider: any ChatVendor) -> Candidate? { list.all.first { $0.provider === provider } }

    /// Returns these candidates followed by `others`, which are tried in their own order.
    package func then(_ others: [Candidate]) -> Candidates {
        let last = list.priorities.max() ?? 0
        let later = others.enumerated().map { $1.with(priority: last + 1 + $0) }
        return Candidates(CandidateList(list.all + later), balance, caller: caller, order: order)
    }

    /// Takes the next key, and returns the only call of a request with a single candidate (`isSingle`).
    func onlyCall(of candidate: Candidate, billing: Billing) -> Attempt {
        let attempt = candidate.unboundedCall(billing: billing)
        if let balance { billing.repeatsEndAt = attempt.loop.now + balance.deadlineNanoseconds }
        return attempt
    }

    package var count: Int { list.all.count }

    package subscript(index: Int) -> Candidate { list.all[index] }

    /// Returns the indexes of the candidates that the settings exclude from the call; empty if they exclude all.
    package func excluded(from call: borrowing ChatCall) -> Set<Int> {
        guard list.excludesSomeCalls else { return [] }
        var excluded: Set<Int> = []
        for index in list.indices {
            do throws(APIError) { try list.all[index].check(call) } catch { excluded.insert(index) }
        }
        return excluded.count == list.all.count ? [] : excluded
    }

    /// The properties of a request, such as `user`, by which its provider is chosen. Empty unless the order is
    /// `balanced`.
    package var affinities: [BalanceSettings.Affinity] { order == .balanced ? balance?.rules.affinity ?? [] : [] }
}
