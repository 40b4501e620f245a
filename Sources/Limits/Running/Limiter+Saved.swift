extension Limiter {
    /// A number that changes whenever a counter changes. It shows whether the counters must be saved again.
    var changes: Int { update { ledger, _ in ledger.changes } }

    /// Sets the counters that an earlier process saved. Each of them is restored when it is first needed.
    func use(_ saved: SavedCounters) {
        // The former table is freed without the lock.
        var other = saved
        update { ledger, _ in swap(&ledger.saved, &other) }
    }

    /// Calls `body` with a copy of each counter that can be saved for the next process. A counter can be copied twice.
    func copyCounters(_ body: (CounterCopy) -> Void) {
        var scan = CounterScan()
        while let copies = update({ ledger, _ in scan.next(of: ledger.accounts) }) { copies.forEach(body) }
    }

    /// The current wall-clock time that the limits use, in microseconds.
    var wall: Int { update { $1.wall } }
}
