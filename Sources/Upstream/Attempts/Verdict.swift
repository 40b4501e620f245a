/// The next step of a request after one of its calls has failed.
enum Verdict: Sendable {
    /// The same call again, with the same key.
    case sameKey
    /// The same call with another key of the provider.
    case nextKey
    case nextCandidate
    /// No further call: the client gets this failure, even if other calls failed before.
    case report
    /// No further call: the client gets the failure of the request (`Attempts.failure`).
    case giveUp
}

/// The possibilities that a request still has after one of its calls has failed.
struct RemainingChoices: Sendable {
    /// Whether the call used a key that the caller sent.
    var isCallersKey = false
    /// Whether the settings allow no further call, because of the number of calls or the time.
    var isLast = false
    /// Whether the candidate has a usable key that has not failed for this request.
    var hasNextKey = false
    /// Whether the candidate's settings allow one more retry.
    var hasRetry = false
    /// Whether the settings allow a fallback and a candidate is left.
    var hasNextCandidate = false
}

extension UpstreamError {
    /// Whether the call was not made, because the candidate cannot serve this request. Another candidate may.
    var isOfFit: Bool { kind == .badRequest && self.refusal != nil && self.recovery.contains(.nextCandidate) }

    /// Decides what follows this failure of a call.
    func verdict(_ left: RemainingChoices) -> Verdict {
        let isOfKey = self.recovery.contains(.nextKey)
        let mayUseNextKey = isOfKey && left.hasNextKey && !left.isLast
        if isOfFit {
            if self.isFinal { return .giveUp }
            if mayUseNextKey { return .nextKey }
            // No call was made, so the next candidate is not one call more, unless a key lacked capacity.
            return left.hasNextCandidate && !(isOfKey && left.isLast) ? .nextCandidate : .giveUp
        }
        // If the vendor refuses a caller's own key, no other key may replace it.
        if left.isCallersKey && isOfKey || self.recovery.isDisjoint(with: [.nextKey, .nextCandidate]) {
            return .report
        }
        if self.isFinal || left.isLast { return .giveUp }
        if mayUseNextKey { return .nextKey }
        if left.hasRetry && mayPassAtOnce { return .sameKey }
        return left.hasNextCandidate ? .nextCandidate : .giveUp
    }

    /// Whether the same call can succeed at once.
    private var mayPassAtOnce: Bool {
        guard cooldown == nil, self.modelCooldownSeconds == nil else { return false }
        return kind == .failed || kind == .unavailable || kind == .timedOut
    }
}
