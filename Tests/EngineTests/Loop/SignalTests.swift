import Engine
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SignalTests {
    private let now = LoopTime.current()

    @Test("a wake-up before the wait counts, and many count as one")
    func wokenBefore() {
        let parking = Signal()
        for _ in 0..<3 { parking.wake() }
        parking.wait()
        parking.wait(until: now + 20_000_000)
        #expect(LoopTime.current() >= now + 20_000_000)
    }

    @Test("a time that has passed ends the wait, and wake-ups count afterwards")
    func timedOut() {
        let parking = Signal()
        parking.wait(until: now)
        parking.wake()
        parking.wait()
    }

    @Test("what was left before a wake-up is found after the wait, however the two meet")
    func nothingIsMissed() {
        let run = Run()
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, readAll, Unmanaged.passUnretained(run).toOpaque())
        #expect(code == 0)
        for value in 1...Run.last {
            run.left.store(value, ordering: .relaxed)
            run.parking.wake()
            if value % 3 == 0 { while run.taken.load(ordering: .relaxed) < value { sched_yield() } }
        }
        pthread_join(thread, nil)
        #expect(run.taken.load(ordering: .relaxed) == Run.last)
    }
}

private final class Run: Sendable {
    static let last = 20_000
    let parking = Signal()
    let left = Atomic(0)
    let taken = Atomic(0)
}

private func readAll(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let run = Unmanaged<Run>.fromOpaque(context).takeUnretainedValue()
    var taken = 0
    while taken < Run.last {
        run.parking.wait()
        taken = run.left.load(ordering: .relaxed)
        run.taken.store(taken, ordering: .relaxed)
    }
    return nil
}
