package import Engine
package import Limits

/// The limits of concurrent calls and of call starts for each key of a provider. All instances share the limits.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires capacity for one upstream call. Waits for free capacity as long as the provider's settings allow.
    /// - Parameters:
    ///   - isAfterAnother: whether the call reuses the slot of an earlier call of the request. Only the limit of call
    ///     starts then counts the call.
    ///   - patience: how long the call can wait even if the settings allow less.
    func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity
}

/// The time that an upstream call may wait for capacity in any case. The settings can allow a longer wait.
package enum CapacityWait: Sendable {
    case none
    /// The wait of an upstream call for its own start: a little longer than the window of the provider's rate limit.
    case ownStart
    /// The wait of an upstream call that makes one of several choices or images: three seconds.
    case ownChoices
}

/// The capacity of a provider that one upstream call holds: its slot among the concurrent calls.
package final class HeldCapacity: OnLoop, @unchecked Sendable {
    private var reservation: Reservation?
    private var freed: (() -> Void)?

    package init(_ reservation: consuming Reservation, freed: @escaping () -> Void) {
        self.reservation = reservation.isOpen ? consume reservation : nil
        self.freed = self.reservation == nil ? nil : freed
    }

    /// Creates a capacity that no limit counts.
    package init(freed: @escaping () -> Void) { self.freed = freed }

    /// Releases the capacity at the end of the upstream call. Can be called more than once.
    package func end() {
        _ = reservation.take()
        freed.take()?()
    }

    deinit { end() }
}
