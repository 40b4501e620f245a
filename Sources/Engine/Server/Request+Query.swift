extension Request {
    /// The decoded items of the query, such as `limit=2&after=x`, in their order.
    package var queryFields: [(name: String, text: String)] {
        query.split(separator: UInt8(ascii: "&")).map { field in
            let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (RequestTarget.decoded(parts[0]), parts.count == 2 ? RequestTarget.decoded(parts[1]) : "")
        }
    }
}
