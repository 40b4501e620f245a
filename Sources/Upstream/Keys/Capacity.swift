package import Engine
package import Limits
package import Shared
import Synchronization

/// A provider's limits of concurrent calls and of call starts in a time window. Each key has these limits, over all
/// instances.
package final class Capacity: CallCapacity {
    private let provider: String
    private let providerIndex: Int
    private let limits: CapacityLimits
    private let limiter: Limiter
    private let queue: CapacityQueue
    private let queueNanoseconds: UInt64
    private static let choicesNanoseconds: UInt64 = 3_000_000_000
    private let isUncounted = Atomic(false)

    /// Creates the capacity limits of a provider. Returns nil if the provider's settings contain no such limits.
    /// - Parameter limits: the limits of the provider, which a reload can change for calls that wait already.
    package init?(
        _ provider: ProviderSettings,
        at providerIndex: Int,
        _ rules: BalanceSettings,
        limits: CapacityLimits,
        limiter: Limiter,
        queue: CapacityQueue
    ) {
        guard provider.capacity != CapacitySettings() else { return nil }
        self.provider = provider.name
        self.providerIndex = providerIndex
        self.limits = limits
        self.limiter = limiter
        self.queue = queue
        queueNanoseconds = UInt64(clamping: rules.queueTime.nanoseconds)
    }

    private func charges(for credential: Credential, isAfterAnother: Bool = false) -> [LimitCharge] {
        let (identity, present) = (identity(credential), limits.present)
        return [present.starts, isAfterAnother ? nil : present.calls].compactMap {
            $0.map { LimitCharge($0, identity) }
        }
    }

    /// Returns the used fraction of a key's capacity, as far as this instance knows.
    func share(of credential: Credential) -> Double { limiter.knownShare(charges(for: credential)) }

    /// Returns whether the key seems to have no free capacity, or another request waits for the key, as far as this
    /// instance knows.
    func isKnownFull(_ credential: Credential) -> Bool {
        limiter.isKnownFull(charges(for: credential)) || queue.isAwaited(providerIndex, by: credential)
    }

    /// The load of one key: the used and the allowed amount of its capacity limit. Both count concurrent calls, or
    /// started calls per second.
    package struct Load: Sendable {
        package var used: Double
        package var most: Double

        fileprivate init(_ used: Int, of quota: Quota) {
            let seconds = Double(max(1, quota.windowSeconds))
            self.used = Double(used) / seconds
            most = Double(quota.count) / seconds
        }
    }

    /// Whether the number of concurrent calls is limited, not only the call starts per second.
    package var isOfCalls: Bool { limits.present.calls != nil }

    /// Returns the load of each key, in the order of `credentials`.
    ///
    /// If both concurrent calls and call starts are limited, returns the loads of the limit with the larger used
    /// fraction.
    package func loads(of credentials: [Credential], on loop: EventLoop) async -> [Load] {
        // If both limits are used equally, `max` returns the first one: concurrent calls.
        let present = limits.present
        let limits = [present.calls, present.starts].compactMap(\.self)
        let charges = limits.map { limit in credentials.map { LimitCharge(limit, identity($0)) } }
        let used = await limiter.used(charges.flatMap(\.self), on: loop)
        let loads = limits.enumerated().map { index, limit in
            used[index * credentials.count..<(index + 1) * credentials.count].map { Load($0, of: limit.quota) }
        }
        return loads.max { $0.share < $1.share } ?? []
    }

    private func identity(_ credential: Credential) -> Identity {
        .upstreamKey(credential.account, of: provider, isOwn: credential.label != nil)
    }

    /// Whether the last call was refused because memcached is unavailable.
    var lacksStore: Bool { isUncounted.load(ordering: .relaxed) }

    /// Whether requests wait for capacity of any of the provider's keys.
    var isAwaited: Bool { queue.isAwaited(providerIndex) }

    /// Acquires capacity for one call with this key, without waiting. Returns nil if the key has no free capacity.
    /// - Parameter isAfterAnother: whether the call follows an earlier call of its request and needs no own slot.
    func acquireNow(
        for credential: Credential,
        isAfterAnother: Bool = false,
        on loop: EventLoop
    ) async -> HeldCapacity? {
        let charges = charges(for: credential, isAfterAnother: isAfterAnother)
        let reservation: Reservation
        if let atOnce = limiter.reserveInMemory(charges) {
            reservation = atOnce
        } else {
            reservation = await limiter.reserve(charges, on: loop)
        }
        let isUncounted = reservation.decision.isUnchecked
        if isUncounted != lacksStore { self.isUncounted.store(isUncounted, ordering: .relaxed) }
        guard reservation.decision.isAdmitted else { return nil }
        let (queue, providerIndex) = (queue, providerIndex)
        return HeldCapacity(reservation) { queue.freed(providerIndex) }
    }

    /// Finds the first key with free capacity and acquires its capacity for one call, without waiting.
    ///
    /// Returns nil if no key has free capacity, or if other requests wait for it.
    /// - Parameters:
    ///   - keys: the provider's keys; nil if the provider has no keys in the settings.
    ///   - fixed: the only key for the call; nil if any key of `keys` can be used.
    ///   - isTurn: whether this request is the first in the queue for capacity.
    func acquireNow(
        ofKeys keys: KeyRing?,
        or fixed: Credential?,
        besides tried: Set<String> = [],
        _ choice: KeyChoice = KeyChoice(),
        isTurn: Bool = false,
        on loop: EventLoop
    ) async -> (Credential, HeldCapacity)? {
        guard isTurn || !isAwaited else { return nil }
        var choice = choice
        choice.capacity = self
        let now = loop.now
        var all = fixed.map { [$0] } ?? keys.map { $0.order(at: now, besides: tried, choice) } ?? [.none]
        // If all keys are in cooldown, the one whose cooldown ends first is tried.
        let allRest = all.isEmpty && tried.isEmpty
        if allRest, let keys { all = [keys.soonest] }
        for credential in all
        where !queue.isAwaited(providerIndex, by: credential) && (allRest || keys?.begins(credential, at: now) ?? true)
        {
            guard let held = await acquireNow(for: credential, on: loop) else {
                // Of keys that are all in cooldown, the trial call may be another request's.
                if !allRest { keys?.endTrial(credential) }
                continue
            }
            keys?.took(credential, isTurn: choice.takesTurn, hasBegun: !allRest, at: now)
            return (credential, held)
        }
        return nil
    }

    /// Finds a key with free capacity and acquires its capacity for one call. If no key has any, waits for `fixed` or
    /// for the key ring's next key.
    func acquire(
        ofKeys keys: KeyRing?,
        or fixed: Credential?,
        on loop: EventLoop
    ) async throws(UpstreamError) -> (Credential, HeldCapacity) {
        if let taken = await acquireNow(ofKeys: keys, or: fixed, on: loop) { return taken }
        let credential = fixed ?? keys?.next(at: loop.now) ?? .none
        return (credential, try await acquire(for: credential, isAfterAnother: false, on: loop))
    }

    package func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait = .none,
        by end: LoopTime = .distantFuture,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity {
        if isAfterAnother || !isAwaited && !queue.isAwaited(providerIndex, by: credential),
            let held = await acquireNow(for: credential, isAfterAnother: isAfterAnother, on: loop)
        {
            return held
        }
        let least =
            switch patience {
            case .none: 0 as UInt64
            case .ownStart: limits.present.startNanoseconds
            case .ownChoices: Self.choicesNanoseconds
            }
        let end = lacksStore ? .distantPast : min(end, loop.now + max(queueNanoseconds, least))
        let own = isAfterAnother ? credential : nil
        let held = await queue.wait(for: [providerIndex], with: own, until: end, on: loop) { () -> HeldCapacity? in
            guard isAfterAnother || !queue.isAwaited(providerIndex, by: credential) else { return nil }
            return await acquireNow(for: credential, isAfterAnother: isAfterAnother, on: loop)
        }
        if let held { return held }
        throw UpstreamError(refusing: Task.isCancelled ? .clientLeft : lacksStore ? .uncounted : .capacityReached)
    }
}

/// The limits of a provider's calls. All settings of one process share them, so that a reload also changes them for the
/// calls that wait.
package final class CapacityLimits: Sendable {
    fileprivate struct Present: Sendable {
        let starts: Limit?
        let calls: Limit?

        init(_ settings: CapacitySettings) {
            starts = settings.starts.map { Limit(.provider, $0) }
            calls = settings.calls.map { Limit(.provider, $0) }
        }

        /// The nanoseconds after which a started call surely no longer counts in the limit of call starts; 0 without this
        /// limit.
        var startNanoseconds: UInt64 { starts.map { UInt64($0.quota.windowSeconds + 1) * 1_000_000_000 } ?? 0 }
    }

    private let state: Lock<Present>

    package init(_ settings: CapacitySettings) { state = Lock(Present(settings)) }

    fileprivate var present: Present { state.withLock { $0 } }

    /// Sets other limits. Calls that wait begin within 0.1 s if they have room for them.
    package func use(_ settings: CapacitySettings) {
        let next = Present(settings)
        state.withLock { $0 = next }
    }
}

extension [Capacity.Load] {
    /// The used fraction of the capacity of all keys together.
    package var share: Double {
        let most = reduce(0) { $0 + $1.most }
        return most > 0 ? reduce(0) { $0 + $1.used } / most : 0
    }
}

extension APIError {
    /// The error for a call that the relay cannot count because memcached is unavailable.
    static var uncounted: APIError { Decision(.storeDown).error ?? .capacityReached }

    /// The error for a call for which no provider has capacity now.
    static var capacityReached: APIError {
        var error = APIError(
            429,
            "The capacity of the model's providers is reached. Please try again in 1s.",
            type: "requests",
            code: "rate_limit_exceeded"
        )
        error.retryAfterSeconds = 1
        error.isCapacityShortage = true
        return error
    }
}
