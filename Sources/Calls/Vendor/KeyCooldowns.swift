package import Engine

/// A provider's own keys, which go into cooldown after failures.
package protocol KeyCooldowns: AnyObject, Sendable {
    /// Records a success of the key.
    ///
    /// - Parameter begun: the start of the call. A cooldown that began later is kept.
    func served(_ credential: Credential, begun: LoopTime)
    /// Records a failure of the key, which begins a cooldown if the failure has one (`UpstreamError.rest`).
    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime)
}
