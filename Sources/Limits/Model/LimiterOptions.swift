/// The options of a limiter: settings of the operator, except the limits themselves, and bounds of this process.
package struct LimiterOptions: Sendable {
    package var storeDown = StoreDownRule.share
    /// The number of instances that divide limits during an outage; nil uses the number of living instances.
    package var instances: Int?
    /// The longest time that a decision waits for one call to the store, in microseconds.
    package var timeoutMicroseconds = 250_000
    /// The time after which slots become free if their instance does not renew them, in microseconds.
    package var slotMicroseconds = 30_000_000
    /// The memory for accounts, in bytes. An account is the state of one limit of one caller.
    package var bytes = 64 * 1_048_576
    /// The secret that hides callers and addresses in the store's keys; nil if there is no secret.
    package var secret: StoreSecret?
    /// Whether the records of earlier versions of the relay are read when a limit is first used.
    package var readsFormerKeys = false
    /// The largest number of requests that wait for their turn. A caller can have half of them.
    package var maxWaiting = 1_000
    /// The number of event loops on which requests are decided.
    var loops = 1

    package static let standard = LimiterOptions()
}

/// The rule for decisions while the store is unavailable (`RATE_LIMIT_STORE_DOWN`).
package enum StoreDownRule: String, Sendable, CaseIterable {
    /// Each instance admits up to its share of the units that were left when the outage began.
    case share
    /// Each instance admits up to the whole limit. Units in the instance's last copy of the record count as used.
    case local
    case allow
    case deny
}
