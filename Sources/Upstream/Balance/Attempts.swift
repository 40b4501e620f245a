package import Calls
import Engine
import Limits
package import Shared

/// The calls of one request to one candidate after the other: who is asked next, and with which key.
///
/// `@unchecked`: used on its request's loop only.
package final class Attempts: @unchecked Sendable {
    private let candidates: [Candidate]
    private let balance: Balance?
    private let rules: BalanceSettings
    private let caller: Identity?
    private let sheet: CallSheet
    private let loop: EventLoop
    /// No candidate is asked after it; `.max`: there is only one, with one key.
    package let endsAt: UInt64
    /// Those that have not failed, by their places.
    private var left: [Int]
    /// Priorities whose turn was taken.
    private var turned: Set<Int> = []
    /// The candidate that is asked, or was asked last.
    private var current: Int?
    /// It is asked once more, with this key.
    private var repeating: Credential?
    private var triesLeft = 0
    /// Of the current one, labels of keys that failed.
    private var tried: Set<String> = []
    private var call: VendorCall?
    /// It can be made with one key only.
    private var isBound = false
    private var asked = 0
    private var failures: [(candidate: Int, error: UpstreamError)] = []
    private var refusal: APIError?

    init(_ candidates: [Candidate], _ balance: Balance?, _ caller: Identity?, _ sheet: CallSheet) {
        self.candidates = candidates
        self.balance = balance
        self.caller = caller
        self.sheet = sheet
        loop = candidates[0].loop
        rules = balance?.rules ?? BalanceSettings()
        let isAlone = candidates.count == 1 && candidates[0].hasOneKey
        endsAt = isAlone ? .max : loop.nowNanoseconds + UInt64(clamping: rules.deadline.nanoseconds)
        left = Array(candidates.indices)
    }

    // MARK: The next one

    /// The place of the candidate to ask; nil: nobody is left.
    package func next() -> Int? {
        if repeating != nil { return current }
        guard let place = chosen() else { return nil }
        current = place
        tried = []
        triesLeft = candidates[place].rank.retries
        balance?.begins(breakerKey(place), at: loop.nowNanoseconds)
        return place
    }

    /// One that neither rests nor is broken, of the lowest priority that has one: at first the one whose turn it is,
    /// then in order. If there is none, any.
    private func chosen() -> Int? {
        let now = loop.nowNanoseconds
        let sound = left.filter { isSound($0, at: now) }
        guard let first = (sound.isEmpty ? left : sound).min(by: { (priority($0), $0) < (priority($1), $1) }) else {
            return nil
        }
        guard let balance, !sound.isEmpty, turned.insert(priority(first)).inserted else { return first }
        let group = sound.filter { priority($0) == priority(first) }
        guard candidates.count(where: { $0.rank.priority == priority(first) }) > 1 else { return first }
        return balance.turn(
            Balance.TurnKey(caller: caller, model: candidates[first].name, priority: priority(first)),
            of: group.map { TurnState.Member(place: $0, weight: candidates[$0].rank.weight) }
        )
    }

    private func priority(_ place: Int) -> Int { balance == nil ? place : candidates[place].rank.priority }

    private func isSound(_ place: Int, at now: UInt64) -> Bool {
        candidates[place].hasSoundKey && !(balance?.isOpen(breakerKey(place), at: now) ?? false)
    }

    private func breakerKey(_ place: Int) -> Balance.BreakerKey {
        Balance.BreakerKey(provider: candidates[place].offeredBy, model: candidates[place].model.id)
    }

    /// The candidate cannot serve this call.
    package func skip(_ refusal: APIError) {
        self.refusal = self.refusal ?? refusal
        if let current { balance?.gaveUp(breakerKey(current)) }
        giveUp()
    }

    private func giveUp() {
        left.removeAll { $0 == current }
        repeating = nil
    }

    // MARK: A call

    /// Takes the turn of a key.
    ///
    /// - Parameter candidate: the one that is asked, perhaps with the only key for the call.
    package func call(_ candidate: Candidate) -> VendorCall {
        asked += 1
        if asked > 1 { sheet.attempts += 1 }
        let call = repeating.map { candidate.call(with: $0, billing: sheet) } ?? candidate.call(billing: sheet)
        repeating = nil
        isBound = candidate.fixed != nil
        self.call = call
        return call
    }

    package func served() {
        call?.served()
        if let current { balance?.served(breakerKey(current)) }
    }

    /// Throws if nobody may do better.
    package func failed(_ failure: UpstreamError) throws(UpstreamError) {
        guard let current, let call else { throw failure }
        let error = call.failure(failure)
        if error.kind == .badRequest, let refusal = error.refusal, error.remedy.contains(.elsewhere) {
            skip(refusal)
            guard rules.fallsBack, !left.isEmpty else { throw self.failure }
            return
        }
        sheet.note(error)
        let isOfKey = error.remedy.contains(.nextKey)
        // A caller's own key is refused for all that it is used for.
        let isCallers = call.credential.label == nil && isOfKey
        guard !isCallers, !error.remedy.isDisjoint(with: [.nextKey, .elsewhere]) else {
            balance?.gaveUp(breakerKey(current))
            throw error
        }
        failures.append((current, error))
        let isLast = rules.attempts > 0 && asked >= rules.attempts || loop.nowNanoseconds >= endsAt
        if !isLast, isOfKey, takeNextKey(current, after: call) { return }
        if !isLast, triesLeft > 0, error.rest == nil, error.kind.mayPass {
            triesLeft -= 1
            repeating = call.credential
            return
        }
        if isOfKey {
            balance?.gaveUp(breakerKey(current))
        } else {
            balance?.failed(breakerKey(current), at: loop.nowNanoseconds)
        }
        giveUp()
        guard !isLast, rules.fallsBack, !left.isEmpty else { throw self.failure }
    }

    private func takeNextKey(_ place: Int, after call: VendorCall) -> Bool {
        guard !isBound, let keys = candidates[place].keys, let label = call.credential.label else { return false }
        tried.insert(label)
        repeating = keys.next(at: loop.nowNanoseconds, besides: tried)
        return repeating != nil
    }

    // MARK: The failure

    /// The failure of all that were asked: the last, unless only that one is a rate limit.
    package var failure: UpstreamError {
        let last =
            failures.last { !$0.error.kind.isLimit } ?? failures.last { $0.error.kind == .rateLimited } ?? failures.last
        guard var error = last?.error else {
            return refusal.map { UpstreamError(refusing: $0) }
                ?? UpstreamError(.failed, cause: "there is no candidate")
        }
        let asked = failures.map(\.candidate)
        if asked.contains(where: { $0 != asked[0] }) { error.summary = summary }
        return error
    }

    /// Each candidate with its last failure, in the order in which they were asked.
    private var summary: String {
        var places: [Int] = []
        for failure in failures where !places.contains(failure.candidate) { places.append(failure.candidate) }
        return places.compactMap { place in
            failures.last { $0.candidate == place }.map { "\(candidates[place].provider.name): \($0.error.shortly)" }
        }.joined(separator: "; ")
    }
}

extension UpstreamError.Kind {
    /// Its status is 429.
    fileprivate var isLimit: Bool { self == .rateLimited || self == .outOfCredit }

    /// The same call may succeed another time.
    fileprivate var mayPass: Bool { self == .failed || self == .unavailable || self == .timedOut }
}

extension UpstreamError {
    /// A few words for clients: no key, no address.
    fileprivate var shortly: String {
        switch kind {
        case .badKey: "401 key refused"
        case .forbidden: "403 forbidden"
        case .outOfCredit: "\(self.status ?? 402) out of credit"
        case .unknownModel: "\(self.status ?? 404) unknown model"
        case .badRequest: "\(self.status ?? 400) refused"
        case .rateLimited: "429 rate limited"
        case .failed: self.status.map { "\($0) failed" } ?? (fault == .unreachable ? "unreachable" : "failed")
        case .unavailable: "503 unavailable"
        case .timedOut: "timeout"
        case .cancelled: "cancelled"
        }
    }
}
