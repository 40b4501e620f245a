package import Engine
package import Limits

/// The limits of each key of a provider for concurrent calls and call starts. All instances share the limits.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires capacity for one upstream call. Waits for free capacity as long as the provider's settings allow.
    ///
    /// - Parameters:
    ///   - isAfterAnother: whether the call reuses the slot of an earlier call of the request. Only the limit of call
    ///     starts then counts the call.
    ///   - patience: how long the call can wait even if the settings allow less.
    ///   - end: the time at which the wait ends at the latest.
    func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity
}

/// The minimum time for which a call may wait for capacity. The settings can allow a longer wait.
package enum CapacityWait: Sendable {
    case none
    /// The call can wait a little longer than the window of the provider's rate limit.
    case ownStart
    /// The call makes one of several choices or images, and can wait for three seconds.
    case ownChoices
}

/// The slot that one upstream call holds among the provider's concurrent calls.
///
/// `@unchecked`: used on its request's loop only.
package final class HeldCapacity: @unchecked Sendable {
    private var reservation: Reservation?
    private let freed: () -> Void

    package init(_ reservation: consuming Reservation, freed: @escaping () -> Void) {
        self.reservation = consume reservation
        self.freed = freed
    }

    /// Releases the capacity at the end of the upstream call. Can be called more than once.
    package func end() {
        guard let reservation = reservation.take() else { return }
        let isHeld = reservation.isOpen
        _ = consume reservation
        if isHeld { freed() }
    }

    deinit { end() }
}
