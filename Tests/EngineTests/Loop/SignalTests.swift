import Engine
import Glibc
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SignalTests {
    private let now = Int(EventLoop.monotonicNanoseconds() / 1_000)

    @Test("a wake-up before the wait counts, and many count as one")
    func wokenBefore() {
        let parking = Signal()
        for _ in 0..<3 { parking.wake() }
        parking.wait(untilMicroseconds: nil)
        parking.wait(untilMicroseconds: now + 20_000)
        #expect(EventLoop.monotonicNanoseconds() >= UInt64(now + 20_000) * 1_000)
    }

    @Test("a time that has passed ends the wait, and wake-ups count afterwards")
    func timedOut() {
        let parking = Signal()
        parking.wait(untilMicroseconds: now - 1)
        parking.wake()
        parking.wait(untilMicroseconds: nil)
    }

    @Test("what was left before a wake-up is found after the wait, however the two meet")
    func nothingIsMissed() {
        let run = Run()
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, takeAll, Unmanaged.passUnretained(run).toOpaque())
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

private func takeAll(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let run = Unmanaged<Run>.fromOpaque(context).takeUnretainedValue()
    var taken = 0
    while taken < Run.last {
        run.parking.wait(untilMicroseconds: nil)
        taken = run.left.load(ordering: .relaxed)
        run.taken.store(taken, ordering: .relaxed)
    }
    return nil
}
