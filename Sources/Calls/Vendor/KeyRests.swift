package import Engine

/// A provider's own keys, which rest after failures of theirs.
package protocol KeyRests: AnyObject, Sendable {
    /// - Parameter begun: when the call began, as `now`: an older one says nothing of a rest that began after it.
    func served(_ credential: Credential, begun: LoopTime)
    /// - Parameter rest: nil: the failure says nothing of the key.
    func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, begun: LoopTime, at now: LoopTime)
}
