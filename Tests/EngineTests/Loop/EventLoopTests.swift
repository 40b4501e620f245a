import Glibc
import Support
import Synchronization
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct EventLoopTests {
    @Test("every continuation of a task runs on its loop")
    func staysOnLoop() async {
        let off = Count()
        await onLoop { loop in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        for turn in 0..<20 {
                            await suspend(isRemote: turn % 3 == 0)
                            if !loop.isCurrent { off.up() }
                            await Task.yield()
                            if !loop.isCurrent { off.up() }
                        }
                    }
                }
            }
        }
        #expect(off.value == 0)
    }

    @Test("children run on the loop of their parent, which comes back from elsewhere")
    func inherits() async {
        let isThere = await onLoop { loop in
            async let child = loop.isCurrent
            let member = await withTaskGroup(of: Bool.self) { group in
                group.addTask { loop.isCurrent }
                return await group.next() ?? false
            }
            let before = await child && member
            _ = await BackgroundActor().isOn(loop)
            let afterActor = loop.isCurrent
            try? await Task.sleep(for: .milliseconds(1))
            return [before, afterActor, loop.isCurrent]
        }
        #expect(isThere == [true, true, true])
    }

    @Test("calls from other threads are all made, on the loop, each thread's in order")
    func calls() {
        let loop = EventLoop()
        let thread = LoopThread(loop)
        let seen = Lock<[[Int]]>([[], [], [], []])
        let off = Count()
        let callers = (0..<4).map { caller in
            TestThread {
                for number in 0..<500 {
                    loop.call {
                        if !loop.isCurrent { off.up() }
                        seen.withLock { $0[caller].append(number) }
                    }
                }
            }
        }
        for caller in callers { caller.join() }
        loop.settle()
        loop.stop()
        thread.join()
        #expect(off.value == 0)
        for numbers in seen.withLock({ $0 }) { #expect(numbers == Array(0..<500)) }
    }

    @Test("a loop stops when asked from its own thread, and before it has begun", arguments: [false, true])
    func stops(isBefore: Bool) {
        let loop = EventLoop()
        if isBefore { loop.stop() }
        let thread = LoopThread(loop)
        if !isBefore { loop.call { loop.stop() } }
        thread.join()
        #expect(!loop.isCurrent)
    }

    @Test("a sleep ends when the clock says so")
    func sleeps() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let thread = LoopThread(loop)
        let woken = Count()
        let task = Task(executorPreference: loop) {
            await loop.sleep(nanoseconds: 5_000_000_000)
            woken.up()
        }
        loop.pass(milliseconds: 4_999, on: clock)
        #expect(woken.value == 0)
        loop.pass(milliseconds: 1, on: clock)
        #expect(woken.value == 1)
        await task.value
        loop.stop()
        thread.join()
    }

    @Test("many sleeps end in their order")
    func sleepsInOrder() async {
        let clock = ManualClock()
        let loop = clock.loop()
        let thread = LoopThread(loop)
        let woken = Lock<[Int]>([])
        for number in (0..<50).map({ $0 * 7 % 50 }) {
            Task(executorPreference: loop) {
                await loop.sleep(nanoseconds: UInt64(number + 1) * 1_000_000_000)
                woken.withLock { $0.append(number) }
            }
        }
        for _ in 0..<50 { loop.pass(milliseconds: 1_000, on: clock) }
        #expect(woken.withLock { $0 } == Array(0..<50))
        loop.stop()
        thread.join()
    }

    @Test("a cancelled sleep ends at once", arguments: [false, true])
    func cancelsSleep(isBefore: Bool) async {
        let clock = ManualClock()
        let loop = clock.loop()
        let thread = LoopThread(loop)
        let task = Task(executorPreference: loop) {
            if isBefore { withUnsafeCurrentTask { $0?.cancel() } }
            await loop.sleep(nanoseconds: .max / 4)
        }
        loop.settle()
        loop.call { task.cancel() }
        await task.value
        loop.stop()
        thread.join()
    }

    @Test("an event of a descriptor that was forgotten in the same turn is dropped, also if its number has a new owner")
    func dropsStaleEvents() async {
        let reported = await onLoop { loop in
            let pair = [Readable(), Readable()]
            let heir = Readable()
            for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                loop.watch(one.descriptor, one, for: 1)
                one.whenReported = {
                    loop.forget(one.descriptor)
                    loop.forget(other.descriptor)
                    heir.readNumber(of: other)
                    loop.watch(other.descriptor, heir, for: 1)
                }
                one.makeReady()
            }
            await loop.sleep(nanoseconds: 1_000_000)
            for one in pair { one.whenReported = nil }
            let before = [pair[0].reported + pair[1].reported, heir.reported]
            heir.makeReady()
            await loop.sleep(nanoseconds: 1_000_000)
            return before + [min(1, heir.reported)]
        }
        #expect(reported == [1, 0, 1])
    }

    @Test("a turn's end comes once, when its jobs are done")
    func turnEnds() async {
        let order = await onLoop { loop in
            let end = End()
            loop.atTurnEnd(end)
            for number in 0..<3 {
                await Task.yield()
                end.seen.append("job \(number)")
            }
            await loop.sleep(nanoseconds: 1_000_000)
            return end.seen
        }
        #expect(order == ["job 0", "job 1", "job 2", "end"])
    }
}

final class Count: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .acquiring) }
    func up() { count.add(1, ordering: .releasing) }
}

private actor BackgroundActor {
    func isOn(_ loop: EventLoop) -> Bool { loop.isCurrent }
}

private final class End: TurnEnd {
    var seen: [String] = []
    func turnEnds() { seen.append("end") }
}

/// The reading end of a pipe.
private final class Readable: Watcher {
    private var ends: [Int32] = [0, 0]
    var whenReported: (() -> Void)?
    private(set) var reported = 0

    init() { pipe(&ends) }

    deinit { for end in ends { close(end) } }

    var descriptor: Int32 { ends[0] }

    /// Duplicates this reading end to the descriptor of the other one, whose pipe is closed.
    func readNumber(of other: Readable) { dup2(ends[0], other.ends[0]) }

    func makeReady() { _ = write(ends[1], "x", 1) }

    func ready(_ events: UInt32) {
        reported += 1
        whenReported?()
    }
}

private func suspend(isRemote: Bool) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        if isRemote {
            Task.detached { continuation.resume() }
        } else {
            continuation.resume()
        }
    }
}
