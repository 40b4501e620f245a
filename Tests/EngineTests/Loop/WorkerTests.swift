import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct WorkerTests {
    private let second: UInt64 = 1_000_000_000

    @Test("results come back to the loop, in the order of the work")
    func results() async {
        let worker = Worker(bound: 100)
        let loops = Lock<[Bool]>([])
        let results = await onLoop { [second] loop in
            var results: [Int?] = []
            for number in 0..<10 {
                results.append(
                    await worker.result(on: loop, withinNanoseconds: 10 * second) {
                        loops.withLock { $0.append(loop.isCurrent) }
                        return number
                    }
                )
                loop.checkIsolated()
            }
            return results
        }
        #expect(results == Array(0..<10))
        #expect(loops.withLock { $0 } == Array(repeating: false, count: 10))
        worker.stop()
    }

    @Test("a wait ends in time though the work goes on, and work that nobody waits for is not begun")
    func late() async {
        let worker = Worker(bound: 100)
        let gate = Gate()
        let running = Gate()
        let begun = Lock<[String]>([])
        let clock = ManualClock()
        let loop = clock.loop()
        let mover = TestThread {
            running.wait()
            loop.passLast(milliseconds: 1_001, on: clock)
        }
        let results = await onLoop(loop) { [second] loop in
            async let first = worker.result(on: loop, withinNanoseconds: second) {
                begun.withLock { $0.append("first") }
                running.open()
                gate.wait()
                return 1
            }
            async let next = worker.result(on: loop, withinNanoseconds: second) {
                begun.withLock { $0.append("second") }
                return 2
            }
            let results = await [first, next]
            gate.open()
            return results + [await worker.result(on: loop, withinNanoseconds: second) { 3 }]
        }
        mover.join()
        #expect(results == [nil, nil, 3])
        #expect(begun.withLock { $0 } == ["first"])
        worker.stop()
    }

    @Test("what is over the bound is refused at once, and all after the end")
    func bound() async {
        let worker = Worker(bound: 2)
        let gate = Gate()
        let running = Gate()
        let results = await onLoop { [second] loop in
            await withTaskGroup(of: Int?.self) { group in
                group.addTask {
                    await worker.result(on: loop, withinNanoseconds: 10 * second) {
                        running.open()
                        gate.wait()
                        return 0
                    }
                }
                await loop.sleep(nanoseconds: 1)
                _ = await running.opens()
                for number in 1...3 {
                    group.addTask { await worker.result(on: loop, withinNanoseconds: 10 * second) { number } }
                }
                let refused = await group.next() ?? 0
                gate.open()
                var results: [Int?] = [refused]
                for await result in group { results.append(result) }
                return results
            }
        }
        #expect(results.first == .some(nil) && Set(results.compactMap { $0 }) == [0, 1, 2])
        worker.stop()
        let after = await onLoop { [second] loop in await worker.result(on: loop, withinNanoseconds: second) { 1 } }
        #expect(after == nil)
    }

    @Test("the timer of a wait that is over does not fire")
    func timerOfEndedWait() async {
        let clock = ManualClock()
        let result = await onLoop(clock.loop()) { loop in
            let worker = Worker(bound: 1)
            let result = await worker.result(on: loop, withinNanoseconds: 1_000_000) { 7 }
            clock.advance(milliseconds: 2)
            await loop.sleep(nanoseconds: 0)
            worker.join()
            return result
        }
        #expect(result == 7)
    }

    @Test("a cancelled task waits no longer")
    func cancelled() async {
        let worker = Worker(bound: 2)
        let gate = Gate()
        let running = Gate()
        let result = await onLoop { [second] loop in
            let task = Task(executorPreference: loop) {
                await worker.result(on: loop, withinNanoseconds: 10 * second) {
                    running.open()
                    return gate.wait()
                }
            }
            _ = await running.opens()
            task.cancel()
            return await task.value
        }
        #expect(result == nil)
        gate.open()
        worker.stop()
    }
}
