package import Calls
import Engine
import Limits
package import Shared

/// All that could serve a call, by priority, then in the order of the settings. The first choice among them is made
/// only when a vendor is asked.
package struct Candidates: Sendable {
    private let list: CandidateList
    /// Nil: they are asked as they stand.
    private let balance: Balance?
    private let order: Order
    private let caller: Identity?

    /// The order in which they are asked.
    package enum Order: Sendable {
        /// By priority, and within one as the settings say.
        case balanced
        /// As they stand.
        case listed
        /// The one with the most room first, whatever its priority.
        case byLoad
    }

    init(_ list: CandidateList, _ balance: Balance, for caller: Caller, _ order: Order = .balanced) {
        self.init(list, balance, caller.identity, order)
    }

    private init(_ list: CandidateList, _ balance: Balance?, _ caller: Identity?, _ order: Order) {
        self.list = list
        self.balance = balance
        self.caller = caller
        self.order = order
    }

    /// To be asked in that order.
    ///
    /// - Parameter list: at least one.
    package init(inOrder list: [Candidate]) { self.init(CandidateList(list), nil, nil, .listed) }

    /// The first in that order.
    package var leading: Candidate { list.all[0] }

    /// There is one candidate, with one key.
    package var isSingle: Bool { list.isSingle && order == .balanced }

    /// The first that has a key which does not rest, and is not broken; else the first.
    package var firstSound: Candidate { list.all.first(where: isSound) ?? leading }

    private func isSound(_ candidate: Candidate) -> Bool {
        guard candidate.hasSoundKey else { return false }
        guard let balance, balance.hasFailures else { return true }
        return !balance.isOpen(candidate.breakerKey, at: candidate.loop.now)
    }

    /// Some take calls as they came, others do not.
    package var areMixed: Bool {
        let forwards = leading.forwarder != nil
        return list.all.contains { ($0.forwarder != nil) != forwards }
    }

    /// Those that take calls as they came, if the first that is sound, and has room if one has, is one of them.
    package var forwarding: Candidates? {
        let first = list.all.first { isSound($0) && !$0.isKnownFull() } ?? firstSound
        guard first.forwarder != nil else { return nil }
        return replaced { $0.forwarder != nil ? $0 : nil }
    }

    /// Each in the place of its candidate; nil: nobody is left.
    package func replaced(by replacement: (Candidate) -> Candidate?) -> Candidates? {
        let all = list.all.compactMap(replacement)
        return all.isEmpty ? nil : Candidates(CandidateList(all), balance, caller, order)
    }

    /// These, and if all of them fail the others, in their order.
    package func then(_ others: [Candidate]) -> Candidates {
        let last = list.priorities.max() ?? 0
        let later = others.enumerated().map { $1.with(priority: last + 1 + $0) }
        return Candidates(CandidateList(list.all + later), balance, caller, order)
    }

    package var count: Int { list.all.count }

    package subscript(index: Int) -> Candidate { list.all[index] }

    /// - Parameters:
    ///   - affinity: calls of one value keep to one provider and key; nil: there is no such value.
    ///   - spared: the places of those that take no such calls, and so no turn; not of all.
    package func attempts(
        billing sheet: CallSheet,
        affinity: UInt64? = nil,
        besides spared: Set<Int> = []
    ) -> Attempts {
        let attempts = Attempts(list, balance, order, caller, sheet, affinity)
        if !spared.isEmpty { attempts.leaveOut(spared) }
        return attempts
    }

    /// The places of those that settings keep the call from; empty: of none, or of all.
    package func spared(_ call: borrowing ChatCall) -> Set<Int> {
        guard list.areSpared else { return [] }
        var spared: Set<Int> = []
        for place in list.places {
            do throws(APIError) { try list.all[place].check(call) } catch { spared.insert(place) }
        }
        return spared.count == list.all.count ? [] : spared
    }

    /// The values that calls keep to one provider by; empty: there is nothing to choose.
    package var affinities: [BalanceSettings.Affinity] {
        order == .balanced ? balance?.rules.affinity ?? [] : []
    }

    /// The result of the first candidate that has one; the others, and other keys, are asked only for failures that
    /// they may not have.
    ///
    /// - Parameters:
    ///   - affinity: see `attempts`, as `spared`.
    ///   - isBegun: some of the answer went to the client, so that the time for all of them no longer counts.
    ///   - waited: nanoseconds up to now in which no vendor was waited for, so that they do not count.
    ///   - ask: the answer of a call.
    package func first<Value: Sendable>(
        billing sheet: CallSheet,
        affinity: UInt64? = nil,
        besides spared: Set<Int> = [],
        unless isBegun: @escaping () -> Bool = { false },
        notCounting waited: @escaping () -> UInt64 = { 0 },
        _ ask: @escaping @Sendable (Candidate, VendorCall) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let attempts = attempts(billing: sheet, affinity: affinity, besides: spared)
        while let index = await attempts.next() {
            let candidate = self[index]
            guard let call = await attempts.call(candidate) else { continue }
            let before = waited()
            let delay = { max(waited(), before) - before }
            do throws(UpstreamError) {
                let value = try await TimedCall(by: candidate.loop, unless: isBegun, besides: delay).result(
                    until: attempts.endsAt,
                    orFailFor: UpstreamError.tooLate
                ) { () async throws(UpstreamError) in
                    try await ask(candidate, call)
                }
                attempts.served()
                return value
            } catch {
                attempts.postpone(byNanoseconds: delay())
                if isBegun() { throw attempts.brokeOff(error) }
                try attempts.failed(error)
            }
        }
        throw attempts.failure
    }
}
