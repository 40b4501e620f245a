/// An error response to a request that the server refuses itself.
package struct RequestError: Error, Equatable {
    package let status: Int
    /// The reason, written for the client. It contains nothing of the request.
    package let reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
