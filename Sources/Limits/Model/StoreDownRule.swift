/// The rule for decisions while the store is unavailable (`RATE_LIMIT_STORE_DOWN`).
package enum StoreDownRule: String, Sendable, CaseIterable {
    /// Instances divide the units that were left in their last copies of a record. Each instance admits its part.
    case share
    /// Each instance admits up to the whole limit, starting from its last copy of the record.
    case local
    case allow
    case deny
}
