import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct WorkQueueTests {
    private let alice = Owner(1)
    private let bob = Owner(2)
    /// The clock of loops on which no time passes: on a busy machine a test may take longer than jobs wait for room.
    private let still = ManualClock()

    @Test("jobs that find no room enter in their order, from every loop")
    func order() async {
        let queue = WorkQueue(bytes: 1_000, jobs: 1)
        let (running, gate) = (Gate(), Gate())
        let done = Lock<[Int]>([])
        let loops = [still.loop(), still.loop()]
        let threads = loops.map { LoopThread($0) }
        var tasks = [
            job(of: 10, in: queue, on: loops[0]) {
                running.open()
                gate.wait()
            }
        ]
        _ = await running.opens()
        for number in 0..<8 {
            tasks.append(job(of: 10, in: queue, on: loops[number % 2]) { done.withLock { $0.append(number) } })
            await until { queue.waitingCount == number + 1 }
        }
        gate.open()
        for task in tasks { #expect(await task.value) }
        #expect(done.withLock { $0 } == Array(0..<8))
        await end(queue, threads)
    }

    @Test("one owner has half of the jobs, and waits without holding up others")
    func halfOfJobs() async {
        let queue = WorkQueue(bytes: 1_000, jobs: 4)
        let gate = Gate()
        let loop = still.loop()
        let thread = LoopThread(loop)
        var tasks: [Task<Bool, Never>] = []
        for _ in 0..<3 { tasks.append(job(of: 1, for: alice, in: queue, on: loop) { gate.wait() }) }
        await until { queue.waitingCount == 1 && queue.enteredCount == 2 }
        for _ in 0..<2 { tasks.append(job(of: 1, for: bob, in: queue, on: loop) {}) }
        await until { queue.waitingCount == 1 && queue.enteredCount == 4 }
        tasks.append(job(of: 1, in: queue, on: loop) {})
        await until { queue.waitingCount == 2 }
        gate.open()
        for task in tasks { #expect(await task.value) }
        await end(queue, [thread])
    }

    @Test("one owner has half of the bytes, and a job that is longer counts as half")
    func halfOfBytes() async {
        let queue = WorkQueue(bytes: 100, jobs: 100)
        let gate = Gate()
        let loop = still.loop()
        let thread = LoopThread(loop)
        var tasks = [job(of: 1_000_000, for: alice, in: queue, on: loop) { gate.wait() }]
        await until { queue.enteredCount == 1 }
        tasks.append(job(of: 1, for: alice, in: queue, on: loop) {})
        await until { queue.waitingCount == 1 }
        tasks.append(job(of: 50, for: bob, in: queue, on: loop) {})
        await until { queue.enteredCount == 2 }
        // There is no room left, so the short job waits behind.
        tasks.append(job(of: 1, in: queue, on: loop) {})
        await until { queue.waitingCount == 2 }
        gate.open()
        for task in tasks { #expect(await task.value) }
        await end(queue, [thread])
    }

    @Test("a wait for room ends after ten seconds, and those behind go on")
    func late() async {
        let queue = WorkQueue(bytes: 1_000, jobs: 1)
        let (running, gate) = (Gate(), Gate())
        let clock = ManualClock()
        let (loop, other) = (clock.loop(), still.loop())
        let threads = [LoopThread(loop), LoopThread(other)]
        let first = job(of: 1, in: queue, on: other) {
            running.open()
            gate.wait()
        }
        _ = await running.opens()
        let late = job(of: 1, in: queue, on: loop) {}
        await until { queue.waitingCount == 1 }
        let patient = job(of: 1, in: queue, on: other) {}
        await until { queue.waitingCount == 2 }
        loop.settle()
        clock.advance(milliseconds: 10_001)
        loop.wakeUp()
        #expect(await !late.value)
        #expect(queue.waitingCount == 1)
        gate.open()
        for task in [first, patient] { #expect(await task.value) }
        await end(queue, threads)
    }

    @Test("a cancelled task leaves the queue, whether it waits for room or for its result")
    func cancelled() async {
        let queue = WorkQueue(bytes: 1_000, jobs: 2)
        let (running, gate) = (Gate(), Gate())
        let loop = still.loop()
        let thread = LoopThread(loop)
        let first = job(of: 1, in: queue, on: loop) {
            running.open()
            gate.wait()
        }
        _ = await running.opens()
        let begun = Lock(false)
        let next = job(of: 1, in: queue, on: loop) { begun.withLock { $0 = true } }
        await until { queue.enteredCount == 2 }
        let waiting = job(of: 1, in: queue, on: loop) {}
        await until { queue.waitingCount == 1 }
        for task in [waiting, next] {
            loop.call { task.cancel() }
            #expect(await !task.value)
        }
        #expect(queue.waitingCount == 0)
        gate.open()
        #expect(await first.value)
        await until { queue.enteredCount == 0 }
        #expect(!begun.withLock { $0 })
        await end(queue, [thread])
    }

    @Test("a crowd on several loops keeps to the bounds, and all get their results")
    func crowd() async {
        let queue = WorkQueue(bytes: 1_000, jobs: 8)
        let loops = (0..<4).map { _ in still.loop() }
        let threads = loops.map { LoopThread($0) }
        let most = Lock(0)
        var tasks: [(task: Task<Bool, Never>, isCancelled: Bool)] = []
        for number in 0..<800 {
            let owner = [alice, bob, nil][number % 3]
            let loop = loops[number / 3 % 4]
            let task = job(of: number * 7 % 400, for: owner, in: queue, on: loop) {
                let count = queue.enteredCount
                most.withLock { $0 = max($0, count) }
            }
            let isCancelled = number % 5 == 0
            if isCancelled { loop.call { task.cancel() } }
            tasks.append((task, isCancelled))
        }
        for (task, isCancelled) in tasks {
            let hasResult = await task.value
            #expect(hasResult || isCancelled)
        }
        #expect(most.withLock { $0 } <= 8)
        await end(queue, threads)
    }

    /// Starts a job of that length on a loop. The task returns whether it got its result.
    private func job(
        of bytes: Int,
        for owner: Owner? = nil,
        in queue: WorkQueue,
        on loop: EventLoop,
        _ work: @escaping @Sendable () -> Void
    ) -> Task<Bool, Never> {
        WorkQueue.$owner.withValue(owner) {
            Task(executorPreference: loop) {
                await queue.enqueuedResult(ofBytes: bytes, on: loop) {
                    work()
                    return true
                } ?? false
            }
        }
    }

    /// Waits until the condition holds. Fails after 30 s.
    private func until(_ isSo: () -> Bool) async {
        for _ in 0..<30_000 {
            if isSo() { return }
            try? await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("it did not come to that")
    }

    /// Expects that nothing is left in the queue, and ends all threads.
    private func end(_ queue: WorkQueue, _ threads: [LoopThread]) async {
        await until { queue.enteredCount == 0 }
        #expect(queue.waitingCount == 0)
        for thread in threads { thread.loop.stop() }
        for thread in threads { thread.join() }
        queue.stop()
    }
}

private final class Owner: WorkOwner {
    let workOwner: MemoryHolder.Key

    init(_ number: UInt64) { workOwner = MemoryHolder.Key((number, number)) }
}
