package import Engine
package import Limits

/// The capacity limits of each key of a provider: how many calls can run at once, and how many can begin in a window.
/// The limits count the calls of all instances.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires capacity for one upstream call. Waits for free capacity as long as the provider's settings allow.
    ///
    /// - Parameters:
    ///   - isAfterAnother: whether the call reuses the slot of an earlier call of the same request. Then only the limit
    ///     of call starts counts the call.
    ///   - patience: the time for which the call can wait, even if the settings allow less.
    ///   - end: the time at which the wait ends at the latest.
    func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity
}

/// The time for which a call can wait for capacity, even if the settings allow less.
package enum CapacityWait: Sendable {
    case none
    /// The call can wait a little longer than the window of the provider's rate limit. After this time, earlier calls
    /// of the same request no longer count.
    case ownStart
    /// The call can wait for three seconds. The call makes one of several choices or images: without the wait, the
    /// request could lose the others.
    case ownChoices
}

/// The capacity that one upstream call holds: its slot among the concurrent calls of the provider.
///
/// `@unchecked`: used on its request's loop only.
package final class HeldCapacity: @unchecked Sendable {
    private var reservation: Reservation?
    private let freed: () -> Void

    package init(_ reservation: consuming Reservation, freed: @escaping () -> Void) {
        self.reservation = consume reservation
        self.freed = freed
    }

    /// Releases the capacity. Call this function when the upstream call has ended. Calling it again has no effect.
    package func end() {
        guard let reservation = reservation.take() else { return }
        let isHeld = reservation.isOpen
        _ = consume reservation
        if isHeld { freed() }
    }

    deinit { end() }
}
