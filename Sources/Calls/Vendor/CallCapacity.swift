package import Engine
package import Limits

/// The capacity limits of each key of a provider: how many calls can run at once, and how many can begin in a window.
/// The limits count the calls of all instances.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires capacity for one upstream call. Waits for free capacity as long as the provider's settings allow.
    ///
    /// - Parameters:
    ///   - isAfterAnother: whether the call uses the slot of an earlier call of the same request. Then only the start
    ///     of the call is counted.
    ///   - patience: the minimum time to wait, even if the settings allow less.
    ///   - end: the time at which the wait ends at the latest.
    func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity
}

/// The minimum time for which a call waits for capacity, even if the settings say less.
package enum CapacityWait: Sendable {
    case none
    /// The call waits until an earlier call of the same request no longer counts under the provider's rate limit.
    case ownStart
    /// The call waits a few seconds. Without this wait, the request could lose the choices that earlier calls produced.
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
