/// The rule for decisions while the store is unavailable (`RATE_LIMIT_STORE_DOWN`).
package enum StoreDownRule: String, Sendable, CaseIterable {
    /// Each instance admits up to its share of the units that were left when the outage began.
    case share
    /// Each instance admits up to the whole limit. Units in the instance's last copy of the record count as used.
    case local
    case allow
    case deny
}
