package import Calls
package import Engine
package import Limits
package import Shared

/// The most that each key of a provider is used for: calls that begin, and calls at the same time. Counted by the
/// limiter, and so over all instances.
package final class Capacity: CallCapacity {
    private let provider: String
    private let place: Int
    private let starts: Limit?
    private let calls: Limit?
    private let limiter: Limiter
    private let queue: CapacityQueue
    private let queueNanoseconds: UInt64

    /// Nil: the provider has no bound.
    package init?(
        _ provider: ProviderSettings,
        at place: Int,
        _ rules: BalanceSettings,
        _ limiter: Limiter,
        _ queue: CapacityQueue
    ) {
        let settings = provider.capacity
        guard settings.starts != nil || settings.calls != nil else { return nil }
        self.provider = provider.name
        self.place = place
        starts = settings.starts.map { Limit(.provider, $0) }
        calls = settings.calls.map { Limit(.provider, $0) }
        self.limiter = limiter
        self.queue = queue
        queueNanoseconds = UInt64(clamping: rules.queueTime.nanoseconds)
    }

    private func claims(for credential: Credential, isAfterAnother: Bool = false) -> [Claim] {
        let isOwn = credential.label != nil
        let identity = Identity.upstreamKey(credential.account, of: provider, isOwn: isOwn)
        return [starts, isAfterAnother ? nil : calls].compactMap { $0.map { Claim($0, identity) } }
    }

    /// The part of it that is in use, as far as that is known here: 1 or more: there is no room.
    func share(of credential: Credential) -> Double { limiter.knownShare(claims(for: credential)) }

    /// Others wait for it, and come first.
    var isAwaited: Bool { queue.isAwaited(place) }

    /// Nil: there is no room.
    func takeNow(
        for credential: Credential,
        isAfterAnother: Bool = false,
        on loop: EventLoop
    ) async -> HeldCapacity? {
        let claims = claims(for: credential, isAfterAnother: isAfterAnother)
        let hold: Hold
        if let atOnce = limiter.reserveInMemory(claims) {
            hold = atOnce
        } else {
            hold = await limiter.reserve(claims, on: loop)
        }
        guard hold.decision.isAdmitted else { return nil }
        let (queue, place) = (queue, place)
        return HeldCapacity(hold) { queue.freed(place) }
    }

    package func take(
        for credential: Credential,
        isAfterAnother: Bool,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity {
        if !isAwaited || isAfterAnother,
            let held = await takeNow(for: credential, isAfterAnother: isAfterAnother, on: loop)
        {
            return held
        }
        let held = await queue.wait(for: [place], until: loop.nowNanoseconds + queueNanoseconds, on: loop) {
            await takeNow(for: credential, isAfterAnother: isAfterAnother, on: loop)
        }
        guard let held else { throw UpstreamError(refusing: .capacityReached) }
        return held
    }
}

extension APIError {
    /// The providers have no room for a call now.
    static var capacityReached: APIError {
        var error = APIError(
            429,
            "The capacity of the model's providers is reached. Please try again in 1s.",
            type: "requests",
            code: "rate_limit_exceeded"
        )
        error.retryAfterSeconds = 1
        return error
    }
}
