package import Engine
import Glibc
import Synchronization

/// An object that saves the counters of a relay without memcached in a file in `DATA_DIR`. A thread writes the file, so
/// requests never wait for it.
///
/// `@unchecked`: `state` is used by the thread that starts the keeper, and then by the keeper's thread only.
package final class CounterKeeper: @unchecked Sendable {
    private struct State {
        var lock: FileLock?
        /// The counters of an earlier process that no request of this process has used yet.
        var unclaimed: [SavedCounter] = []
        /// The value of `Limiter.changes` when the file was last read or written. A different value now means
        /// that counters have changed.
        var changes = 0
        /// The machine's wall clock minus the limiter's clock, in microseconds, when the counter file was last read or
        /// written.
        var behindMicroseconds = 0
        var isFailing = false
        var isOverfull = false
    }

    private let limiter: Limiter
    private let folder: String
    private let limitBytes: Int
    private let machineWall: @Sendable () -> Int
    private let onEvent: @Sendable (CounterKeeperEvent) -> Void
    private let thread = Worker()
    private let signal = Signal()
    private let isEnding = Atomic(false)
    private var state = State()

    /// The time from the start of one write of the file to the next, in nanoseconds.
    private static let pauseNanoseconds: UInt64 = 1_500_000_000
    private static let lockPauseMicroseconds: UInt32 = 20_000

    private var path: String { "\(folder)/counters" }

    /// - Parameters:
    ///   - folder: `DATA_DIR`, which exists.
    ///   - onEvent: called on any thread.
    package convenience init(
        of limiter: Limiter,
        in folder: String,
        onEvent: @escaping @Sendable (CounterKeeperEvent) -> Void
    ) {
        let machine = LimitClock.system
        self.init(
            of: limiter,
            in: folder,
            CounterFile.limitBytes,
            machineWall: { machine.now().wall },
            onEvent: onEvent
        )
    }

    /// - Parameters:
    ///   - limitBytes: the maximum size of the file.
    ///   - machineWall: returns the machine's wall-clock time.
    init(
        of limiter: Limiter,
        in folder: String,
        _ limitBytes: Int,
        machineWall: @escaping @Sendable () -> Int,
        onEvent: @escaping @Sendable (CounterKeeperEvent) -> Void
    ) {
        self.limiter = limiter
        self.folder = folder
        self.limitBytes = limitBytes
        self.machineWall = machineWall
        self.onEvent = onEvent
    }

    /// Restores the saved counters, and starts a thread that saves the counters. Blocks; call this function before the
    /// first request.
    /// - Parameters:
    ///   - deadline: the end of the wait for another process that uses `DATA_DIR`.
    ///   - isEnding: returns whether this process is ending, which ends the wait.
    package func start(waitingUntil deadline: LoopTime, orUntil isEnding: () -> Bool) {
        guard let lock = lock(waitingUntil: deadline, orUntil: isEnding) else { return }
        state.lock = lock
        restore()
        state.changes = limiter.changes
        state.behindMicroseconds = machineWall() - limiter.wall
        thread.begin { self.run() }
    }

    /// Writes the counters for the last time, and unlocks `DATA_DIR`, so that another process can use it.
    package func stop() {
        isEnding.store(true, ordering: .releasing)
        signal.wake()
        thread.join()
        state.lock = nil
    }

    private func lock(waitingUntil deadline: LoopTime, orUntil isEnding: () -> Bool) -> FileLock? {
        var isReported = false
        while true {
            switch FileLock.acquire("\(folder)/lock") {
            case .acquired(let lock): return lock
            case .failed(let reason):
                onEvent(.unlocked(reason: reason))
                return nil
            case .heldByAnother:
                if isEnding() { return nil }
                guard LoopTime.current() < deadline else {
                    onEvent(.heldByAnother)
                    return nil
                }
                if !isReported { onEvent(.waits) }
                isReported = true
                usleep(Self.lockPauseMicroseconds)
            }
        }
    }

    // MARK: Reading

    private func restore() {
        do throws(CounterFile.ReadError) {
            guard let bytes = try read() else { return }
            let saved = try SavedCounters(CounterFile(bytes), at: limiter.wall)
            state.unclaimed = saved.counters
            limiter.use(saved)
            onEvent(.restored(counters: saved.counters.count))
            if saved.movedBack > 0 { onEvent(.ahead(counters: saved.movedBack)) }
        } catch {
            let other = "\(path).broken"
            let isKept = rename(path, other) == 0
            onEvent(.broken(reason: error.rawValue, keptAs: isKept ? other : nil))
        }
    }

    /// Returns the bytes of the counter file; nil if there is no file.
    private func read() throws(CounterFile.ReadError) -> [UInt8]? {
        if let bytes = WholeFile.read(path, limitBytes: CounterFile.limitBytes) {
            // The next write could be far away.
            chmod(path, 0o600)
            return bytes
        }
        var about = stat()
        if lstat(path, &about) != 0, errno == ENOENT { return nil }
        throw about.st_size > CounterFile.limitBytes ? .length : .unreadable
    }

    // MARK: Writing

    private func run() {
        while true {
            let begun = LoopTime.current()
            while !isEnding.load(ordering: .acquiring), LoopTime.current() < begun + Self.pauseNanoseconds {
                signal.wait(until: begun + Self.pauseNanoseconds)
            }
            let isLast = isEnding.load(ordering: .acquiring)
            saveIfChanged()
            if isLast { return }
        }
    }

    private func saveIfChanged() {
        let changes = limiter.changes
        let behind = machineWall() - limiter.wall
        // The machine's clock may be set while nobody asks.
        let isSet = abs(behind - state.behindMicroseconds) >= CounterFile.leastMicroseconds
        guard changes != state.changes || isSet else { return }
        let file = CounterFile(behindMicroseconds: behind, counters())
        guard WholeFile.write(file.encoded(), to: path, by: "\(path).new", isSynced: true) else {
            let reason = systemError
            if !state.isFailing { onEvent(.unwritten(reason: reason)) }
            state.isFailing = true
            return
        }
        state.changes = changes
        state.behindMicroseconds = behind
        if state.isFailing { onEvent(.written) }
        state.isFailing = false
    }

    /// Returns the counters to save. If the file would be too large, omits those that used the least of their limits.
    private func counters() -> [SavedCounter] {
        var found: [(counter: SavedCounter, share: Double)] = []
        var bytes = 0
        func add(_ counter: SavedCounter, share: Double) {
            found.append((counter, share))
            bytes += counter.bytes
        }
        var keys: Set<RecordKey> = []
        let hasUnclaimed = !state.unclaimed.isEmpty
        limiter.copyCounters { copy in
            if hasUnclaimed { keys.formUnion([copy.key, copy.key.former(of: copy.limit)]) }
            guard copy.record.total > 0 else { return }
            add(copy.saved, share: Double(copy.record.total) / Double(copy.limit.quota.count))
        }
        if hasUnclaimed { dropClaimed(keys) }
        // Nobody has asked for these since the start, so they go first.
        for counter in state.unclaimed { add(counter, share: 0) }
        let limit = limitBytes - CounterFile.emptyBytes
        let all = found.count
        if bytes > limit { found.sort { $0.share > $1.share } }
        while bytes > limit, let last = found.popLast() { bytes -= last.counter.bytes }
        if found.count < all, !state.isOverfull { onEvent(.overfull(kept: found.count, of: all)) }
        state.isOverfull = found.count < all
        return found.map(\.counter)
    }

    /// Removes an earlier process's counters from `unclaimed` if `keys` contains their key, or if their units are too
    /// old.
    private func dropClaimed(_ keys: Set<RecordKey>) {
        let time = limiter.wall
        state.unclaimed.removeAll { counter in
            guard !keys.contains(counter.key),
                let record = try? Record(counter.record, BucketLayout(windowSeconds: counter.windowSeconds))
            else { return true }
            return record.reset(at: time) == 0
        }
        if state.unclaimed.isEmpty { limiter.use(SavedCounters()) }
    }
}

/// An event about saved counters that an operator should know.
package enum CounterKeeperEvent: Sendable, Equatable {
    /// Another process still uses `DATA_DIR`. This process waits for a while.
    case waits
    /// Another process uses `DATA_DIR`, so this process keeps its counters only in memory.
    case heldByAnother
    /// `DATA_DIR` cannot be locked. This process keeps its counters only in memory.
    case unlocked(reason: String)
    case restored(counters: Int)
    /// Some saved counters had a bucket in the future and were moved back.
    case ahead(counters: Int)
    /// The counter file is not readable. `keptAs` is its new name; nil if renaming failed.
    case broken(reason: String, keptAs: String?)
    /// Some counters were not saved, because they would have made the file too large.
    case overfull(kept: Int, of: Int)
    case unwritten(reason: String)
    /// The counter file was written again after an earlier write had failed.
    case written
}
