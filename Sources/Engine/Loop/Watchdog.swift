import CLinux
import Glibc

/// Counts the ticks that each loop left unanswered. A pure machine.
struct LoopWatch {
    /// For each loop: how many turns it had begun at the last tick, and ticks since it began one.
    private var loops: [(turns: UInt64, missed: Int)] = []
    private var due: LoopTime?

    static let tickNanoseconds: UInt64 = 1_000_000_000
    static let lateNanoseconds: UInt64 = 500_000_000
    static let mostMissed = 30

    /// To be called each second, before all loops are woken. `turns`: how many each has begun. Returns the place of one
    /// that hangs. After a tick that is late the count begins anew: the process was stopped, asleep or starved, and its
    /// loops no less.
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
        return loops.firstIndex { $0.missed >= Self.mostMissed }
    }
}

/// A thread that wakes each loop once a second, and tells when one has not answered for half a minute.
///
/// `@unchecked`: all is constant.
package final class Watchdog: @unchecked Sendable {
    private let loops: [EventLoop]
    private let clock: @Sendable () -> LoopTime
    private let sleep: @Sendable (_ nanoseconds: UInt64) -> Bool
    private let onHang: @Sendable (_ loop: Int) -> Void

    /// - Parameters:
    ///   - sleep: false: to end.
    ///   - onHang: called on the thread, with the loop's place.
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

    /// Under a sanitizer or valgrind, where all is many times slower, nothing is watched.
    package static var isOfUse: Bool { !relay_is_sanitized() && !isInValgrind }

    /// On a thread of its own, which lasts as long as the process.
    package func start() {
        let worker = Worker()
        worker.begin(run)
        worker.finish()
    }

    /// Until `sleep` says to end.
    func run() {
        var watch = LoopWatch()
        while sleep(LoopWatch.tickNanoseconds) {
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

/// Whether valgrind runs this process.
var isInValgrind: Bool { getenv("LD_PRELOAD").map { strstr($0, "vgpreload") != nil } ?? false }
