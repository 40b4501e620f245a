/// A request that the server refuses by itself.
package struct RequestError: Error, Equatable {
    package let status: Int
    /// Written for the client; shows nothing of what was sent.
    package let reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
