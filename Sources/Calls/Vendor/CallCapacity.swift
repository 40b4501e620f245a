package import Engine
package import Limits

/// The capacity limits of each key of a provider: how many calls may run at once, and how many may begin in a window.
/// The limits count the calls of all instances.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires the capacity for a call. Waits as long as the settings allow.
    ///
    /// - Parameters:
    ///   - isAfterAnother: whether the call uses the slot of an earlier call of the same request. Then only the start
    ///     of the call is counted.
    ///   - patience: the minimum wait, even if the settings say less.
    ///   - end: the time at which waiting ends in any case.
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
    /// Wait until an earlier call of this request has surely left the window of the provider's rate limit.
    case ownStart
    /// Wait a few seconds, because otherwise the choices that the request already has would be lost.
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
