import Engine
import Support
import Testing

@testable import Limits

/// The generator SplitMix64, which gives the same numbers for the same seed.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) &+ 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &self) }
}

/// Returns the most units in any interval of a window's length (half open). `admitted` is in order.
func mostInAnyWindow(_ admitted: [(time: Int, units: Int)], _ window: Int) -> Int {
    var first = 0
    var sum = 0
    var most = 0
    for last in admitted.indices {
        sum += admitted[last].units
        while admitted[last].time - admitted[first].time >= window {
            sum -= admitted[first].units
            first += 1
        }
        most = max(most, sum)
    }
    return most
}

extension MemcachedProcess {
    var address: MemcachedAddress { MemcachedAddress(host: "127.0.0.1", port: port) }
}

let epoch = 1_800_000_000_000_000

extension Record {
    /// Creates a record with counts in random buckets.
    init(random dice: inout Dice, _ layout: BucketLayout, near time: Int, most: Int = 1_000) {
        self.init(layout, at: time, birth: dice.next())
        for _ in 0..<dice.below(2 * layout.kept) {
            roll(to: time + dice.below(layout.windowMicroseconds))
            charge(dice.below(most))
        }
        if dice.below(3) == 0 {
            addLease(1 + dice.below(most), until: layout.start(of: newest) + dice.below(1_000_000), at: time)
        }
    }
}

/// Event loops of a test, and tasks on them.
final class TestLoops: Sendable {
    private let threads: [TestLoop]

    /// The loops for connections of stores, which outlive a test's own loops. They are never stopped.
    static let lasting = TestLoops(2)
    static var ofStores: [EventLoop] { lasting.loops }

    var loops: [EventLoop] { threads.map(\.loop) }

    init(_ count: Int = 1) { threads = (0..<count).map { _ in TestLoop() } }

    deinit {
        for thread in threads { thread.stop() }
    }

    /// Returns the results of `count` tasks that run at the same time, spread over the loops.
    func run<Result: Sendable>(
        _ count: Int,
        _ body: @escaping @Sendable (Int, EventLoop) async -> Result
    ) async -> [Result] {
        let tasks = (0..<count)
            .map { index in
                let loop = threads[index % threads.count].loop
                return Task(executorPreference: loop) { await body(index, loop) }
            }
        var results: [Result] = []
        for task in tasks { results.append(await task.value) }
        return results
    }

    func run<Result: Sendable>(_ body: @escaping @Sendable (EventLoop) async -> Result) async -> Result {
        await run(1) { _, loop in await body(loop) }[0]
    }
}

/// A thread with an event loop.
///
/// `@unchecked`: the thread is stopped once, by the owner.
private final class TestLoop: @unchecked Sendable {
    private let thread = LoopThread()
    var loop: EventLoop { thread.loop }

    func stop() {
        loop.stop()
        thread.join()
    }
}

/// A clock whose wall time the test moves. Steady time moves with it, and also by itself, because pauses are measured
/// by it, if need be slowly: the patience of requests is measured by it, too.
///
/// Threads that wait for a time of this clock check it again and again.
final class TestClock: Sendable {
    private let advanced = Lock(0)
    private let start = LoopTime.current()
    private let slowness: Int

    /// - Parameter slowness: the seconds in which a second of steady time passes.
    init(slowness: Int = 1) { self.slowness = slowness }

    var clock: LimitClock {
        LimitClock(
            now: {
                let advanced = self.advanced.withLock { $0 }
                let passed = Int(LoopTime.current().nanoseconds(since: self.start)) / 1_000 / self.slowness
                return ClockReading(wall: epoch + advanced, steady: advanced + passed)
            },
            alarm: { _ in LoopTime.current() + 20_000_000 }
        )
    }

    func advance(microseconds: Int) { advanced.withLock { $0 += microseconds } }
}

/// The events that a limiter reported to its operator, with a way to wait for more.
final class TestEvents: Sendable {
    private let events = Lock<[LimiterEvent]>([])

    var handler: @Sendable (LimiterEvent) -> Void { { event in self.events.withLock { $0.append(event) } } }

    func contains(_ isKind: @Sendable (LimiterEvent) -> Bool) -> Bool {
        events.withLock { $0.contains { isKind($0) } }
    }

    /// Waits until there are `count` events of a kind. Returns false after ten seconds, or so many looks.
    func reached(_ count: Int, _ isKind: @Sendable (LimiterEvent) -> Bool, looks: Int = 2_000) async -> Bool {
        for _ in 0..<looks {
            if events.withLock({ $0.count { isKind($0) } }) >= count { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

extension LimiterEvent {
    var isDown: Bool { if case .storeDown = self { true } else { false } }
    var isBack: Bool { if case .storeBack = self { true } else { false } }
    var isOfBudget: Bool { if case .budgetUsed = self { true } else { false } }
    var isBroken: Bool { if case .brokenRecord = self { true } else { false } }
}

/// Waits until `body` is true. Returns false after ten seconds.
func reaches(_ body: () -> Bool) async -> Bool {
    for _ in 0..<5_000 {
        if body() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return false
}

/// Waits until so many requests wait, all of them without calls to the store.
func waits(_ count: Int, _ limiter: Limiter, _ location: SourceLocation = #_sourceLocation) async {
    let isReached = await reaches { limiter.metrics().waiting == count && limiter.asleep == count }
    #expect(isReached, sourceLocation: location)
}

extension Limiter {
    /// Waits until all servers are available. Returns false after ten seconds.
    func isUp() async -> Bool { await reaches { metrics().serversDown == 0 } }
}

extension LimitCounter {
    /// Passes a record to the counter whose version does not matter.
    func absorb(_ found: StoredRecord?, birth: UInt64, isAhead: Bool, at time: Int) {
        absorb(found, version: 0, mark: 0, birth: birth, isAhead: isAhead, at: time)
    }

    func written(at time: Int) { written(version: 0, at: time) }
}
