/// A provider's own keys, which rest after failures of theirs.
package protocol KeyRests: AnyObject, Sendable {
    func served(_ credential: Credential)
    /// - Parameter rest: nil: the failure says nothing of the key.
    func failed(_ credential: Credential, _ rest: UpstreamError.Rest?, at now: UInt64)
}
