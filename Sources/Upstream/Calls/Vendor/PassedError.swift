package import Engine

/// A vendor's error response for a client of the vendor's own API.
package struct PassedError: Sendable {
    /// The HTTP status for the client.
    package let status: Int
    /// The vendor's error as JSON on one line, without addresses, keys and account names.
    package let body: Body
    /// All names and strings in `body` without escapes, in which keys are searched.
    package let text: String
    package let retryAfterSeconds: Int?
}
