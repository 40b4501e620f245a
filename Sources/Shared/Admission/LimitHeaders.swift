package import Engine
import Limits

extension Decision {
    /// Appends the rate limit headers of a response. Appends nothing if no limit of requests or tokens applies.
    ///
    /// A limit of all callers together is left out unless it is used up: a caller must not see what the others use.
    package func appendLimits(to fields: inout ByteBuffer) {
        let requests = requests.flatMap { $0.isOpenToAll ? nil : $0 }
        let tokens = tokens.flatMap { $0.isOpenToAll ? nil : $0 }
        var budget = budget.flatMap { $0.isOpenToAll ? nil : $0 }
        if let budget { budget.appendBudget(to: &fields) }
        // Its tokens are among the policies already.
        if let tokens, tokens.limit == budget?.limit { budget = nil }
        guard requests != nil || tokens != nil || budget != nil else { return }
        requests?.append(
            "x-ratelimit-limit-requests: ",
            "\r\nx-ratelimit-remaining-requests: ",
            "\r\nx-ratelimit-reset-requests: ",
            to: &fields
        )
        tokens?.append(
            "x-ratelimit-limit-tokens: ",
            "\r\nx-ratelimit-remaining-tokens: ",
            "\r\nx-ratelimit-reset-tokens: ",
            to: &fields
        )
        var before: StaticString = "RateLimit-Policy: "
        requests?.appendPolicy(after: &before, to: &fields)
        tokens?.appendPolicy(after: &before, to: &fields)
        budget?.appendPolicy(after: &before, to: &fields)
        before = "\r\nRateLimit: "
        requests?.appendRemainder(after: &before, to: &fields)
        tokens?.appendRemainder(after: &before, to: &fields)
        budget?.appendRemainder(after: &before, to: &fields)
        fields.append("\r\n")
    }

    /// Appends the retry headers of a rejected request: the time to wait, if it is known. Adds `x-should-retry: false`
    /// if the client should not retry soon.
    package func appendRetry(to fields: inout ByteBuffer) {
        if let milliseconds = retryAfterMilliseconds {
            fields.append("Retry-After: ", decimal: max(1, roundedUp(milliseconds, to: 1_000)))
            fields.append("\r\nretry-after-ms: ", decimal: milliseconds, "\r\n")
        }
        if isRetryUseless { fields.append("x-should-retry: false\r\n") }
    }

    /// Whether the response advises the client not to retry the request (`x-should-retry: false`).
    private var isRetryUseless: Bool {
        guard let refusal else { return false }
        guard let wait = refusal.retryAfterMicroseconds else { return true }
        return refusal.isOfBudget || wait > 120_000_000
    }

    /// Whether a budget refused the request, and not only because running requests hold it.
    package var isOfBudget: Bool { refusal?.isOfBudget ?? false }

    /// The error response to a rejected request; nil if the request was admitted.
    package var error: APIError? {
        var error: APIError
        switch outcome {
        case .admitted: return nil
        case .storeDown:
            error = .overloaded("The relay cannot check its limits at the moment. Please try again.")
        case .ending: error = .overloaded("The relay is shutting down. Please try again.")
        case .refused(let refusal):
            let quota = refusal.limit.quota
            let isBudget = refusal.isOfBudget
            let type: StaticString = isBudget ? "insufficient_quota" : quota.unit == .tokens ? "tokens" : "requests"
            error = APIError(
                429,
                refusal.message(retryAfterMilliseconds),
                type: type,
                code: isBudget ? "insufficient_quota" : "rate_limit_exceeded"
            )
        }
        error.retryAfterSeconds = retryAfterMilliseconds.map { max(1, roundedUp($0, to: 1_000)) }
        error.isRetryUseless = isRetryUseless
        return error
    }
}

extension Decision.Refusal {
    /// Whether money is used up, or another budget.
    fileprivate var isOfBudget: Bool { (limit.quota.unit.isMoney || limit.quota.isBudget) && !isHeld }

    fileprivate func message(_ retryAfterMilliseconds: Int?) -> String {
        let quota = limit.quota
        let unit = quota.unit == .concurrent ? "requests" : quota.unit.rawValue
        guard let retryAfterMilliseconds else {
            return "Request too large for \(unit): limit \(quota.text), requested \(quota.amount(requested))."
        }
        if quota.isBudget { return budgetMessage(retryAfterMilliseconds) }
        let wait = durationText(microseconds: retryAfterMilliseconds * 1_000)
        let what =
            limit.kind == .failedAuth
            ? "too many requests with invalid keys from your address (\(quota.text))" : quota.text
        // A caller that has sent little would otherwise search for the requests in its own code.
        let sharers =
            switch limit.kind {
            case .total: "All callers" as String?
            case .session: "All requests of this session"
            case .user: "All requests of this end user"
            default: limit.group.map { "All keys of group \($0)" }
            }
        let sharing = sharers.map { " \($0) share this limit." } ?? ""
        if let end = limit.period?.endText {
            return "Rate limit reached for \(unit): \(what). It begins anew on \(end).\(sharing)"
        }
        return "Rate limit reached for \(unit): \(what). Please try again in \(wait).\(sharing)"
    }

    private func budgetMessage(_ retryAfterMilliseconds: Int) -> String {
        let quota = limit.quota
        let owner =
            switch limit.kind {
            case .total: "all callers together"
            case .model: "this caller for this model"
            case .key: "this key"
            case .group: "group \(limit.group ?? "")"
            case .session: "this session"
            case .user: "this end user"
            case .caller, .failedAuth, .provider, .login, .usage: "this caller"
            }
        let name = "the budget of \(owner), \(quota.textWithUnit)"
        if isHeld {
            let wait = durationText(microseconds: retryAfterMilliseconds * 1_000)
            return "Running requests hold the rest of \(name). Please try again in \(wait)."
        }
        let isLeft = remaining >= quota.leastLeft
        // Dollars are told to a hundredth of a cent.
        let step =
            quota.unit == .usd && requested >= Quota.nanodollarsPerDollar / 1_000
            ? Quota.nanodollarsPerDollar / 10_000 : 1
        let needed = quota.amount(roundedUp(requested, to: step) * step)
        let left = quota.amount(remaining / step * step)
        let rest = isLeft ? "has \(left) left, and this request needs \(needed)" : "is used up"
        if let period = limit.period { return "T\(name.dropFirst()), \(rest). It begins anew on \(period.endText)." }
        let second = (Timestamp.now() + retryAfterMilliseconds + 999) / 1_000
        return "T\(name.dropFirst()), \(rest). \(needed) are free again at \(Timestamp.minute(second)) UTC."
    }
}

extension Limit {
    /// Returns the second in which all units are free again, if they are after this time: at the end of the limit's
    /// period, if it has one.
    package func resetSecond(after microseconds: Int) -> Int {
        period.map { $0.endMicroseconds / 1_000_000 } ?? (Timestamp.now() + microseconds / 1_000 + 999) / 1_000
    }
}

extension LimitStanding {
    /// Appends the header line of a budget: its number, what is used and left, and when all of it is free.
    fileprivate func appendBudget(to fields: inout ByteBuffer) {
        let quota = limit.quota
        fields.append("X-Relay-Budget: ", quota.unit.rawValue, ";limit=")
        quota.append(amount: quota.count, to: &fields)
        fields.append(";used=")
        quota.append(amount: quota.count - remaining, to: &fields)
        fields.append(";left=")
        quota.append(amount: remaining, to: &fields)
        fields.append(";resets=")
        fields.append(Timestamp.text(second: limit.resetSecond(after: resetMicroseconds)))
        if let group = limit.group { fields.append(";group=\"", group, "\"") }
        if limit.kind.isNamedByClients { fields.append(";\(limit.kind.name)") }
        fields.append("\r\n")
    }

    fileprivate func append(
        _ most: StaticString,
        _ left: StaticString,
        _ reset: StaticString,
        to fields: inout ByteBuffer
    ) {
        fields.append(most, decimal: limit.quota.count, left)
        fields.append("", decimal: remaining, reset)
        appendDuration(microseconds: resetMicroseconds, to: &fields)
        fields.append("\r\n")
    }

    fileprivate func appendPolicy(after before: inout StaticString, to fields: inout ByteBuffer) {
        fields.append(before)
        fields.append(limit.policy)
        before = ", "
    }

    fileprivate func appendRemainder(after before: inout StaticString, to fields: inout ByteBuffer) {
        fields.append(before)
        fields.append(limit.policyName)
        fields.append(";r=", decimal: limit.quota.policyUnits(remaining))
        fields.append(";t=", decimal: roundedUp(resetMicroseconds, to: 1_000_000))
        before = ", "
    }
}

extension Quota.Unit {
    /// Whether the unit is money or credits. The error for an exceeded budget is `insufficient_quota`, not
    /// `rate_limit_exceeded`.
    fileprivate var isMoney: Bool { self == .usd || self == .credits }
}

/// Returns a duration such as `12ms`, `1s`, `6m0s` or `24h0m0s`, rounded up.
package func durationText(microseconds: Int) -> String {
    var text = ByteBuffer()
    appendDuration(microseconds: microseconds, to: &text)
    return text.text
}

private func appendDuration(microseconds: Int, to text: inout ByteBuffer) {
    let milliseconds = roundedUp(max(0, microseconds), to: 1_000)
    if milliseconds < 1_000 {
        text.append(decimal: milliseconds)
        return text.append("ms")
    }
    let seconds = roundedUp(milliseconds, to: 1_000)
    if seconds >= 3_600 {
        text.append(decimal: seconds / 3_600)
        text.append("h")
    }
    if seconds >= 60 {
        text.append(decimal: seconds / 60 % 60)
        text.append("m")
    }
    text.append(decimal: seconds % 60)
    text.append("s")
}

private func roundedUp(_ number: Int, to unit: Int) -> Int { (number + unit - 1) / unit }
