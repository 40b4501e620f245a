/// The hash of a property of a request, such as its user. Requests with equal values use one provider and key.
package struct AffinityValue: Sendable {
    package let hash: UInt64
    /// Whether the property is the session of an agent, whose concurrent calls may use several keys.
    package let isSession: Bool

    package init(_ hash: UInt64, isSession: Bool = false) {
        self.hash = hash
        self.isSession = isSession
    }
}
