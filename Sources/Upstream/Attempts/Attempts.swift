package import Engine
import Limits
import Shared

/// The attempts of one request, and the choice of a candidate and a key for each attempt.
package final class Attempts: OnLoop, @unchecked Sendable {
    let list: CandidateList
    let balance: Balance?
    let billing: Billing
    let loop: EventLoop
    /// The time by which the request's response must begin; `distantFuture` for a single candidate with one key.
    package private(set) var endsAt: LoopTime
    var open: RemainingCandidates
    /// The index of the candidate that was chosen last; nil before the first choice.
    private(set) var current: Int?
    /// The key for the next call to the current candidate, if it is already chosen; otherwise nil.
    var repeating: Credential?
    /// Whether the next call goes to the current candidate, with a key that has not failed for this request.
    private var selectsNextKey = false
    /// The key and the capacity for the next call, if the call had to wait for capacity; otherwise nil.
    var waitedFor: (Credential, HeldCapacity)?
    /// The number of retries of each candidate for this request, by the candidate's index.
    private var repeats: [Int: Int] = [:]
    /// The labels of the keys that failed for this request, by their candidate's index.
    private(set) var tried: [Int: Set<String>] = [:]
    private var call: Attempt?
    /// The time after which a failure is final: neither a retry nor a fallback follows.
    private var repeatsEndAt: LoopTime
    /// Whether only one key can be used for the current call.
    private var isBound = false
    /// Whether the current candidate may have the trial call of a half-open circuit breaker.
    private var mayHaveTrial = false
    private var asked = 0
    /// The time that the request may still wait for limits of its vendors, in nanoseconds; 0 if it must not wait.
    var patience: UInt64
    /// The number of failures before the request last waited for them.
    private(set) var failuresBefore = 0
    private(set) var failures: [(candidate: Int, error: UpstreamError)] = []
    var refusal: APIError?
    /// The limit's error for a candidate that was to be called after a failed one; nil if no limit refused one.
    private(set) var limitRefusal: APIError?

    init(
        _ list: CandidateList,
        _ balance: Balance?,
        order: Candidates.Order,
        caller: Identity?,
        billing: Billing,
        affinity: AffinityValue?
    ) {
        self.list = list
        self.balance = balance
        self.billing = billing
        open = RemainingCandidates(list, balance, order: order, caller: caller, affinity: affinity)
        let first = list.all[0]
        loop = first.loop
        patience = balance == nil ? 0 : billing.patience
        let isAlone = list.all.count == 1 && first.hasOneKey
        let nanoseconds = balance?.deadlineNanoseconds ?? UInt64(clamping: BalanceSettings().deadline.nanoseconds)
        repeatsEndAt = loop.now + nanoseconds
        endsAt = isAlone ? .distantFuture : repeatsEndAt
        billing.repeatsEndAt = repeatsEndAt
    }

    var rules: BalanceSettings { balance?.rules ?? BalanceSettings() }

    /// Postpones the deadlines of the request by a delay that no vendor caused.
    func postpone(byNanoseconds delay: UInt64) {
        endsAt += delay
        repeatsEndAt += delay
        billing.repeatsEndAt = repeatsEndAt
    }

    // MARK: The next one

    /// Chooses the candidate to call next and returns its index. Waits if all remaining candidates lack capacity.
    ///
    /// Returns nil if no candidate is left, or if none gets capacity in time.
    func next() async -> Int? {
        if repeating != nil || selectsNextKey { return current }
        if patience > 0, let awaited = await awaited() {
            turnTo(awaited)
            return awaited
        }
        var chosen = open.chosen()
        if chosen == nil, !open.full.isEmpty { chosen = await waited() }
        if let chosen { turnTo(chosen) }
        return chosen
    }

    private func turnTo(_ index: Int) {
        current = index
        guard let balance, balance.hasFailures else { return }
        balance.begins(open.breakerKey(index), at: loop.now)
        mayHaveTrial = true
    }

    /// Ends the trial call of the current candidate, if there is one. The circuit breaker counts neither a success nor
    /// a failure.
    private func endTrial() {
        guard mayHaveTrial, let current else { return }
        mayHaveTrial = false
        balance?.endTrial(open.breakerKey(current))
    }

    deinit { endTrial() }

    /// Skips the current candidate, which cannot serve this request.
    /// - Parameter refusal: the reason; the client gets the first refusal if no call has failed.
    func skip(_ refusal: APIError) {
        self.refusal = self.refusal ?? refusal
        if refusal.status == 429, !refusal.isCapacityShortage, !failures.isEmpty {
            limitRefusal = limitRefusal ?? refusal
        }
        endTrial()
        giveUp(isUnfit: true)
    }

    private func giveUp(isUnfit: Bool = false) {
        if let current { open.giveUp(current, isUnfit: isUnfit) }
        repeating = nil
        selectsNextKey = false
        waitedFor = nil
    }

    // MARK: A call

    /// Chooses the candidate's next key that has capacity, and returns a call with it. Returns nil if no key has
    /// capacity now.
    /// - Parameter candidate: the candidate at the index from `next()`, or a copy that can use one key only.
    func call(_ candidate: Candidate) async -> Attempt? {
        if candidate.capacity == nil { return call(candidate, with: repeating ?? turn(of: candidate)) }
        guard let (credential, held) = await selected(candidate) else {
            if let current {
                open.setAside(current)
                concluded(current, repeating == nil ? nil : failures.last?.error)
            }
            giveUp()
            return nil
        }
        billing.hold(held)
        return call(candidate, with: credential)
    }

    private func call(_ candidate: Candidate, with credential: Credential) -> Attempt {
        let call = candidate.call(with: credential, billing: billing)
        if let sessionKey = open.sessionKey {
            billing.hold(sessionKey.begin(at: .init(provider: candidate.provider.name, label: credential.label)))
        }
        open.spendTurn()
        asked += 1
        if asked > 1 { billing.attempts += 1 }
        repeating = nil
        selectsNextKey = false
        isBound = candidate.fixed != nil
        self.call = call
        return call
    }

    private func turn(of candidate: Candidate) -> Credential {
        if let fixed = candidate.fixed { return fixed }
        guard let keys = candidate.keys else { return .none }
        let now = loop.now
        // A comparison by load or affinity needs the turns of a provider's only key, too.
        let isCompared = open.affinity != nil || balance?.rules.order == .leastLoad
        guard isCompared, let current else { return keys.next(at: now) }
        return keys.next(at: now, besides: [], open.choice(current)) ?? keys.next(at: now)
    }

    private func selected(_ candidate: Candidate) async -> (Credential, HeldCapacity)? {
        if let key = waitedFor {
            waitedFor = nil
            // A call that refers to a file needs the key that has the file, even if another key was free first.
            guard let bound = candidate.fixed, bound.key != key.0.key else { return key }
            key.1.end()
        }
        if let repeating { return await candidate.with(repeating).selectedKey() }
        guard let current else { return nil }
        return await candidate.selectedKey(besides: tried[current] ?? [], open.choice(current))
    }

    /// Records that the response of the current call has begun.
    func begun() {
        // The key works, but the response can still break off: the circuit breaker counts no success yet.
        call?.served()
        endTrial()
        wakeWaiting()
    }

    /// Records that the current call failed after its response had begun. Returns the failure with the credential of
    /// the call.
    func brokeOff(_ failure: UpstreamError) -> UpstreamError {
        billing.freeCapacity()
        guard let current, let call else { return failure }
        let error = self.failure(failure, of: call, current)
        concluded(current, error.isOfProvider ? error : nil)
        billing.record(error)
        return error
    }

    /// Records that the response of the current call is complete.
    func served() {
        guard let balance, balance.hasFailures, let current else { return }
        balance.served(open.breakerKey(current))
    }

    /// Records a failed call and prepares the next call.
    /// - Throws: the failure for the client if another call cannot help or is not allowed.
    func failed(_ failure: UpstreamError) throws(UpstreamError) {
        guard let current, let call else { throw failure }
        billing.freeCapacity()
        billing.clearRefusal()
        var error = self.failure(failure, of: call, current)
        if error.code == APIError.contextLengthCode, rules.fallsBack, open.leaveLargerWindows(than: current) {
            error.recovery = .nextCandidate
        }
        let verdict = error.verdict(remaining(current, after: call, error))
        if !error.isOfFit {
            billing.record(error)
            if verdict != .report { failures.append((current, error)) }
        }
        switch verdict {
        case .sameKey:
            repeats[current, default: 0] += 1
            repeating = call.credential
        case .nextKey: break  // `remaining` has selected it.
        case .nextCandidate, .giveUp:
            if error.isOfFit, let refusal = error.refusal {
                skip(refusal)
            } else {
                concluded(current, error)
                giveUp()
            }
            if verdict == .giveUp {
                guard mayAwait, !error.isFinal, !Task.isCancelled else { throw self.failure }
                (tried, repeats, failuresBefore) = ([:], [:], failures.count)
                open.reopen()
            }
            open.reopenFullCandidates()
        case .report:
            endTrial()
            throw error
        }
    }

    /// Returns what can follow a failed call. Selects the next key if the failure asks for another one.
    private func remaining(_ index: Int, after call: Attempt, _ error: UpstreamError) -> RemainingChoices {
        let isSpent = rules.attempts > 0 && asked >= rules.attempts
        let isLast = isSpent || loop.now >= repeatsEndAt || Task.isCancelled
        let mayUseKey = error.recovery.contains(.nextKey) && !isLast && !error.isFinal
        return RemainingChoices(
            isCallersKey: call.credential.label == nil,
            isLast: isLast,
            hasNextKey: mayUseKey && selectNextKey(index, after: call),
            hasRetry: repeats[index, default: 0] < list.all[index].rank.retries,
            hasNextCandidate: rules.fallsBack && open.hasOthers(than: index)
        )
    }

    /// Records the failure of a call to the candidate at this index. Returns the failure with credential and provider.
    private func failure(_ failure: UpstreamError, of call: Attempt, _ index: Int) -> UpstreamError {
        var error = call.failure(failure)
        error.provider = list.all[index].provider.name
        return error
    }

    /// Reports the outcome of a candidate's calls to its circuit breaker.
    /// - Parameter error: the candidate's last failure; nil if no failure should be counted.
    private func concluded(_ index: Int, _ error: UpstreamError?) {
        mayHaveTrial = false
        balance?.conclude(open.breakerKey(index), error, at: loop.now)
    }

    /// Selects another key of the candidate for the next call, and returns whether there is one.
    private func selectNextKey(_ index: Int, after call: Attempt) -> Bool {
        guard !isBound, let keys = list.all[index].keys, let label = call.credential.label else { return false }
        tried[index, default: []].insert(label)
        let tried = tried[index] ?? []
        let now = loop.now
        if list.all[index].capacity != nil {
            selectsNextKey = !keys.order(at: now, besides: tried).isEmpty
            return selectsNextKey
        }
        repeating = keys.next(at: now, besides: tried, open.choice(index))
        return repeating != nil
    }
}
