import CLinux
import Glibc

/// A detector of loops that hang, with a check (a tick) once a second.
struct LoopHangDetector {
    /// The state of each loop: the number of its turns at the last check, and the number of checks in a row that found
    /// no new turn.
    private var loops: [(turns: UInt64, missed: Int)] = []
    private var due: LoopTime?

    static let tickNanoseconds: UInt64 = 1_000_000_000
    static let lateNanoseconds: UInt64 = 500_000_000
    static let maxMissedTicks = 30

    /// Checks whether each loop has begun a new turn. Call this method once a second.
    /// - Parameter turns: the number of turns that each loop has begun.
    /// - Returns: the index of a loop that hangs; nil if no loop hangs.
    mutating func tick(at now: LoopTime, turns: [UInt64]) -> Int? {
        let isLate = due.map { now > $0 + Self.lateNanoseconds } ?? true
        due = now + Self.tickNanoseconds
        guard !isLate, loops.count == turns.count else {
            loops = turns.map { ($0, 0) }
            return nil
        }
        for (index, count) in turns.enumerated() {
            loops[index].missed = count == loops[index].turns ? loops[index].missed + 1 : 0
            loops[index].turns = count
        }
        return loops.firstIndex { $0.missed >= Self.maxMissedTicks }
    }
}

/// A thread that reports a loop that has begun no turn for half a minute.
///
/// `@unchecked`: all properties are constant.
package final class Watchdog: @unchecked Sendable {
    private let loops: [EventLoop]
    private let clock: @Sendable () -> LoopTime
    private let sleep: @Sendable (_ nanoseconds: UInt64) -> Bool
    private let onHang: @Sendable (_ loop: Int) -> Void

    /// Creates a watchdog for these loops, without starting its thread.
    /// - Parameters:
    ///   - sleep: waits for the given time; returns false to end the thread.
    ///   - onHang: called on the watchdog's thread, with the index of the loop that hangs.
    package init(
        _ loops: [EventLoop],
        clock: @escaping @Sendable () -> LoopTime = LoopTime.current,
        sleep: @escaping @Sendable (_ nanoseconds: UInt64) -> Bool = Watchdog.sleep,
        onHang: @escaping @Sendable (_ loop: Int) -> Void
    ) {
        self.loops = loops
        self.clock = clock
        self.sleep = sleep
        self.onHang = onHang
    }

    /// Whether the watchdog should run; false under a sanitizer or valgrind.
    package static var isUseful: Bool { !relay_is_sanitized() && !isInValgrind }

    /// Starts the watchdog on its own thread, which runs until the process ends.
    package func start() {
        let worker = Worker()
        worker.begin(run)
        worker.finish()
    }

    /// Checks once a second whether a loop hangs, until `sleep` returns false.
    func run() {
        var watch = LoopHangDetector()
        while sleep(LoopHangDetector.tickNanoseconds) {
            if let hanging = watch.tick(at: clock(), turns: loops.map(\.pace.turns)) { onHang(hanging) }
            for loop in loops { loop.wakeUp() }
        }
    }

    package static func sleep(_ nanoseconds: UInt64) -> Bool {
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        var left = timespec()
        while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
        return true
    }
}

/// Whether this process runs under valgrind.
var isInValgrind: Bool { getenv("LD_PRELOAD").map { strstr($0, "vgpreload") != nil } ?? false }
