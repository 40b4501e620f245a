extension Limiter {
    /// A number that changes whenever a counter changes.
    var changes: Int { update { ledger, _ in ledger.changes } }

    /// Uses counters that an earlier process saved.
    func use(_ saved: SavedCounters) {
        // The former table is freed without the lock.
        var other = saved
        update { ledger, _ in swap(&ledger.saved, &other) }
    }

    /// Copies the counters that outlive the process. Takes the lock for a few counters at a time.
    func copyCounters(_ body: (CounterCopy) -> Void) {
        var scan = CounterScan()
        while let copies = update({ ledger, _ in scan.next(of: ledger.accounts) }) { copies.forEach(body) }
    }

    /// The time by which limits go.
    var wall: Int { update { $1.wall } }
}
