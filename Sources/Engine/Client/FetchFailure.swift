/// Why nothing was fetched. What a caller may know of it is the kind alone: whether an address was refused, has no
/// server, or has one that is slow or says no, all look alike, or a relay could be used to look around in a network.
package struct FetchFailure: Error {
    package enum Kind: Sendable {
        /// No URL, or none of a kind that is fetched.
        case badURL
        /// The address brought nothing.
        case unavailable
        case tooLarge
        /// Too many fetches run.
        case busy
        /// Whoever wanted it has left.
        case cancelled
    }
    package let kind: Kind
    /// For the log; names no address.
    package let cause: String

    init(_ kind: Kind, _ cause: String) {
        self.kind = kind
        self.cause = cause
    }
}
