package import Engine

/// An object that keeps the cooldowns of a provider's keys and learns how calls end.
package protocol KeyCooldowns: AnyObject, Sendable {
    /// Records that a call with the key succeeded. Ends a cooldown of the key that began before the call.
    ///
    /// - Parameter begun: the time at which the call began.
    func served(_ credential: Credential, begun: LoopTime)
    /// Records that a call with the key failed. The key goes into cooldown if `UpstreamError.cooldown` says so.
    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime)
}
