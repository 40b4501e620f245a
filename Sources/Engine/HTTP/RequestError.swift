/// The error for a client's request that the relay refuses itself.
package struct RequestError: Error, Equatable {
    package let status: Int
    /// The reason for the client, as a sentence. It contains no part of the request.
    package let reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
