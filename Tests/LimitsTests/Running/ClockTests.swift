import Engine
import Limits
import Testing

@Suite struct ClockTests {
    let clock: TestClock
    let store: HookedStore

    init() {
        let clock = TestClock()
        self.clock = clock
        store = HookedStore(MemoryCounters(seconds: { clock.clock.now().wall / 1_000_000 }))
    }

    /// Returns an instance whose clock is ahead of the store's by so many milliseconds.
    private func limiter(_ ahead: Int, _ events: TestEvents = TestEvents()) -> Limiter {
        let clock = clock.clock
        return Limiter(
            store: store,
            on: TestLoops.ofStores,
            clock: LimitClock(
                now: {
                    let now = clock.now()
                    return ClockReading(wall: now.wall + ahead * 1_000, steady: now.steady)
                },
                alarm: clock.alarm
            ),
            onEvent: events.handler
        )
    }

    private func waits(_ isDone: () -> Bool) async -> Bool {
        for _ in 0..<6_000 {
            if isDone() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    @Test("the difference to the store's clock is measured", arguments: [0, 2_000, -2_000, 86_400_000])
    func measured(ahead: Int) async throws {
        let limiter = limiter(ahead)
        defer { limiter.stop() }
        #expect(await waits { limiter.metrics().clockMilliseconds != nil })
        let measured = try #require(limiter.metrics().clockMilliseconds)
        // The store reports whole seconds, late by up to one and a half.
        #expect(abs(measured - ahead) <= 800)
        // An instance that is alone uses the store's clock if its own is far off, as measured then or once more since.
        let (wanted, tolerance) = ahead > 3_000 ? (ahead, 800) : (0, 0)
        #expect(await waits { abs(limiter.metrics().correctionMilliseconds - wanted) <= tolerance })
    }

    @Test(
        "an instance that is more than three seconds off the others, or alone off the store, takes it off",
        arguments: [
            ([0, 0, 10_000], [0, 0, 10_000]), ([1_000, -1_000, 0], [0, 0, 0]),
            ([-3_600_000, 500, 1_000], [-3_600_000, 0, 0]), ([0, 20_000], [0, 20_000]),
            ([-20_000, -1_000], [-19_500, 0]), ([7_000, 7_200, 7_400], [7_000, 7_200, 7_400]),
        ] as [([Int], [Int])]
    )
    func corrected(ahead: [Int], wanted: [Int]) async {
        let events = ahead.map { _ in TestEvents() }
        let limiters = zip(ahead, events).map { limiter($0, $1) }
        defer { for limiter in limiters { limiter.stop() } }
        #expect(await waits { limiters.allSatisfy { $0.metrics().clockMilliseconds != nil } })
        let areCorrected = {
            zip(limiters, wanted).allSatisfy { abs($0.metrics().correctionMilliseconds - $1) <= 1_500 }
        }
        // All instances write their entries again, and see those of the others; a second time with their corrections. On
        // a busy machine, some read before the others have written.
        for round in 0..<20 where round < 3 || !areCorrected() {
            let before = limiters.map { $0.metrics().writes }
            clock.advance(microseconds: 11_000_000)
            #expect(await waits { zip(limiters, before).allSatisfy { $0.metrics().writes > $1 } })
        }
        for (limiter, wanted) in zip(limiters, wanted) {
            let off = limiter.metrics().correctionMilliseconds - wanted
            #expect(abs(off) <= 1_500, "\(limiter.metrics().correctionMilliseconds) for \(wanted)")
        }
        for (events, wanted) in zip(events, wanted) where wanted != 0 {
            #expect(await events.reached(1, \.isClockOff))
        }
    }
}

extension LimiterEvent {
    fileprivate var isClockOff: Bool { if case .clockOff = self { true } else { false } }
}
