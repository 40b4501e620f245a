package import Engine

/// The own keys of a provider, which go into cooldown after their failures.
package protocol KeyRests: AnyObject, Sendable {
    /// Records a success of the key.
    ///
    /// - Parameter begun: the start of the call. A cooldown that began later is kept.
    func served(_ credential: Credential, begun: LoopTime)
    /// Records a failure of the key.
    ///
    /// - Parameter rest: the cooldown of the key; nil if the failure says nothing about the key.
    func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, begun: LoopTime, at now: LoopTime)
}
