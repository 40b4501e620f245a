package import Engine
package import Limits

/// The use that a provider's keys may be put to, over all instances.
package protocol CallCapacity: AnyObject, Sendable {
    /// Takes the capacity for a call, and waits for it as long as the settings say.
    ///
    /// - Parameters:
    ///   - isAfterAnother: the call follows one that holds its place still, so only its beginning counts.
    ///   - patience: the time for which it waits at least, whatever the settings say.
    ///   - end: it waits no longer than that.
    func take(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityPatience,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity
}

/// The time for which a call waits for capacity at least, whatever the settings say.
package enum CapacityPatience: Sendable {
    case none
    /// Until a start of its own request may have left the window.
    case ownStart
    /// A few seconds: what the request has got so far would be lost.
    case ownChoices
}

/// The place of a call among those that its provider may have at the same time.
///
/// `@unchecked`: used on its request's loop only.
package final class HeldCapacity: @unchecked Sendable {
    private var hold: Hold?
    private let freed: () -> Void

    package init(_ hold: consuming Hold, freed: @escaping () -> Void) {
        self.hold = consume hold
        self.freed = freed
    }

    /// The call has ended. Once or more often.
    package func end() {
        guard let hold = hold.take() else { return }
        let isHeld = hold.isOpen
        _ = consume hold
        if isHeld { freed() }
    }

    deinit { end() }
}
