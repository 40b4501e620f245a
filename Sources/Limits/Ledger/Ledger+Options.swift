extension Ledger {
    /// The options of the ledger: settings of the operator, and bounds of this process.
    struct Options {
        var storeDown = StoreDownRule.share
        /// The number of instances that share each limit during an outage; nil uses the number of living instances.
        var instances: Int?
        /// The longest time that a decision waits for one call to the store, in microseconds.
        var timeoutMicroseconds = 250_000
        /// The time after which slots become free if their instance does not renew them, in microseconds.
        var slotMicroseconds = 30_000_000
        /// The number of event loops on which requests are decided.
        var loops = 1
        /// The largest number of requests that wait for their turn. A caller can have half of them.
        var maxWaiting = 1_000
        /// The memory that accounts are allowed to use, in bytes.
        var bytes = 64 * 1_048_576
        /// The secret that hides callers and addresses in the store's keys; nil if there is no secret.
        var secret: StoreSecret?
        /// Whether the records of earlier versions of the relay are read when a limit is first used.
        var readsFormerKeys = false
    }
}
