/// The rule for decisions while the store cannot be reached.
package enum StoreDownRule: String, Sendable, CaseIterable {
    /// All instances together: each takes its part of what the last copies leave.
    case share
    /// Each instance with the whole of N, going on from what it last saw.
    case local
    case allow
    case deny
}
