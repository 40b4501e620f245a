package import Engine
package import Limits

/// The limits of how much a provider's keys are used, counted over all instances.
package protocol CallCapacity: AnyObject, Sendable {
    /// Acquires the capacity for a call. Waits as long as the settings allow.
    ///
    /// - Parameters:
    ///   - isAfterAnother: whether an earlier call of the request still holds its slot; then only the start is counted.
    ///   - patience: the minimum wait, even if the settings say less.
    ///   - end: the time at which waiting ends.
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
    /// Waits until an earlier start of this request has surely left the rate window.
    case ownStart
    /// Waits a few seconds, because the choices that the request already has would be lost.
    case ownChoices
}

/// The capacity that one call holds among the concurrent calls of its provider.
///
/// `@unchecked`: used on its request's loop only.
package final class HeldCapacity: @unchecked Sendable {
    private var reservation: Reservation?
    private let freed: () -> Void

    package init(_ reservation: consuming Reservation, freed: @escaping () -> Void) {
        self.reservation = consume reservation
        self.freed = freed
    }

    /// Releases the capacity when the call has ended. Further calls have no effect.
    package func end() {
        guard let reservation = reservation.take() else { return }
        let isHeld = reservation.isOpen
        _ = consume reservation
        if isHeld { freed() }
    }

    deinit { end() }
}
