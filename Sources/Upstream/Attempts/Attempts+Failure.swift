import Shared

extension Attempts {
    /// The failure that the client gets for the request. If no call failed, or a limit refused a call after a failed one,
    /// it contains the refusal: why a candidate was skipped, or that no capacity was free.
    package var failure: UpstreamError {
        if let limitRefusal { return UpstreamError(refusing: limitRefusal) }
        // A rate limit or lack of credit is reported only if no call failed for another reason.
        let last =
            failures.last { !$0.error.kind.isLimit } ?? failures.last { $0.error.kind == .rateLimited } ?? failures.last
        guard var error = last?.error else {
            return refusal.map { UpstreamError(refusing: $0) } ?? UpstreamError(.failed, cause: "there is no candidate")
        }
        if error.kind == .rateLimited || error.kind == .unavailable {
            error.retryAfterSeconds = failures.lazy.compactMap(\.error.waitSeconds).min()
        }
        let asked = failures.map(\.candidate)
        if open.order != .balanced || asked.contains(where: { $0 != asked[0] }) { error.summary = summary }
        return error
    }

    /// The text for the log: the last failure of each candidate, in the order of the calls.
    private var summary: String {
        var indices: [Int] = []
        for failure in failures where !indices.contains(failure.candidate) { indices.append(failure.candidate) }
        return indices.compactMap { index in
            failures.last { $0.candidate == index }.map {
                "\(list.all[index].provider.name): \($0.error.shortly)"
            }
        }.joined(separator: "; ")
    }
}

extension UpstreamError.Kind {
    /// Whether failures of this kind have the HTTP status 429.
    fileprivate var isLimit: Bool { self == .rateLimited || self == .outOfCredit }
}

extension UpstreamError {
    /// Whether a limit of the vendor refuses calls with the key for a time: 429, or 503 with the time to wait.
    var isOfVendorsLimit: Bool { (kind == .rateLimited || kind == .unavailable) && cooldown != nil }

    /// The time after which the vendor may serve the call, in seconds; nil if it is not known.
    fileprivate var waitSeconds: Int? {
        switch kind {
        case .rateLimited: self.retryAfterSeconds ?? 1
        case .unavailable: self.retryAfterSeconds
        default: nil
        }
    }
}
