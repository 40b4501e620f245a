import Engine
import Limits
import Shared
import UsageRecords

/// The limit counters in a file in `DATA_DIR`, or with memcached, copies of those of a day or longer in the database of
/// usage records. Nothing is saved without `DATA_DIR` and such a database.
struct SavedLimits {
    /// The writer of the counter file; nil if counters are in memcached or `DATA_DIR` is not set.
    private let keeper: CounterKeeper?
    /// The writer of copies in the database; nil without memcached or a database.
    private let copyKeeper: CopyKeeper?
    private let patienceSeconds: Double

    init(_ settings: Settings, of limiter: Limiter, _ copies: StoredCopies?, _ log: Log) {
        let folder = settings.limits.store == .memory ? settings.dataFolder : nil
        let seconds = settings.shutdownSeconds
        patienceSeconds = seconds
        keeper = folder.map { CounterKeeper(of: limiter, in: $0) { event in event.log(to: log, seconds) } }
        let isShared = limiter.isStoreAvailable != nil
        copyKeeper = isShared ? copies.map { CopyKeeper(of: limiter, in: $0) { log.note(failureOfCopies: $0) } } : nil
    }

    /// Reads the counters of the previous process, and waits if that process is still ending. Call this method before
    /// the first request.
    func start() {
        let deadline = LoopTime.current() + UInt64(patienceSeconds * 1e9)
        keeper?.start(waitingUntil: deadline) { Signals.isEndWanted }
        copyKeeper?.start()
    }

    /// Writes the counters a last time. Call this method after the last request.
    func stop() {
        keeper?.stop()
        copyKeeper?.stop()
    }
}

extension Log {
    /// Logs why the database does not keep copies of limits; nil if it keeps them again.
    fileprivate func note(failureOfCopies cause: String?) {
        guard let cause else { return info("the database keeps copies of limits again") }
        warning("the database does not keep copies of limits") { line in
            line.add("cause", cause)
            line.add("meanwhile", "limits of a day or longer that memcached loses follow RATE_LIMIT_STORE_DOWN")
        }
    }
}

extension CounterKeeperEvent {
    fileprivate func log(to log: Log, _ patienceSeconds: Double) {
        switch self {
        case .waits:
            log.warning("another relay uses DATA_DIR; waiting until it ends") { line in
                line.add("for_at_most_s", Int(patienceSeconds))
                line.add("remedy", "if it is not ending, set another DATA_DIR")
            }
        case .heldByAnother:
            log.warning(
                "another relay uses DATA_DIR; limits are counted in memory only; set another DATA_DIR, or use memcached"
            )
        case .unlocked(let reason):
            log.warning("cannot lock DATA_DIR; limits are counted in memory only") { $0.add("cause", reason) }
        case .restored(let counters):
            log.info("counters of limits were read from DATA_DIR") { $0.add("counters", counters) }
        case .ahead(let counters):
            log.warning("counters of limits are ahead of this machine's clock and are moved back; check NTP") {
                $0.add("counters", counters)
            }
        case .broken(let reason, let keptAs):
            log.warning("the file of counters cannot be read; limits start at zero") { line in
                line.add("cause", reason)
                if let keptAs { line.add("kept_as", keptAs) }
            }
        case .overfull(let kept, let all):
            log.warning("not all counters of limits fit in DATA_DIR; a restart resets the least used ones") { line in
                line.add("counters", all)
                line.add("kept", kept)
            }
        case .unwritten(let reason):
            log.warning("counters of limits cannot be written; a restart now would lose what was counted since") {
                $0.add("cause", reason)
            }
        case .written: log.info("counters of limits are written again")
        }
    }
}
