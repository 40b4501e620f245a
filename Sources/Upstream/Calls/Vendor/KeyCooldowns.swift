package import Engine

/// An object that keeps the cooldowns of a provider's keys. Each call with a key reports its end to the object.
package protocol KeyCooldowns: AnyObject, Sendable {
    /// Records that a call with the key succeeded. Ends a cooldown of the key that began before the call.
    func served(_ credential: Credential, begun: LoopTime)
    /// Records that a call with the key failed. Puts the key in cooldown if the error has one
    /// (`UpstreamError.cooldown`).
    func failed(_ credential: Credential, _ error: UpstreamError, begun: LoopTime, at now: LoopTime)
}
