/// The rule for decisions while the store is unavailable.
package enum StoreDownRule: String, Sendable, CaseIterable {
    /// Instances divide what their last copies of a record leave: each admits its part.
    case share
    /// Each instance admits up to the whole limit, starting from its last copy of the record.
    case local
    case allow
    case deny
}
