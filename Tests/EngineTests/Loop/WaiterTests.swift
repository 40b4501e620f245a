import Support
import Testing

@testable import Engine

@Suite(.timeLimit(.minutes(1))) struct WaiterTests {
    @Test("a wait ends at the next wake; one before it does not count")
    func wakes() async {
        let steps = await onLoop { loop in
            let waiter = Waiter()
            let seen = Count()
            waiter.wake()
            let task = Task(executorPreference: loop) {
                await waiter.wait()
                seen.up()
                await waiter.wait()
                seen.up()
            }
            var steps: [Int] = []
            for _ in 0..<3 {
                for _ in 0..<3 { await Task.yield() }
                steps.append(seen.value)
                waiter.wake()
            }
            await task.value
            return steps
        }
        #expect(steps == [0, 1, 2])
    }

    @Test("a cancelled task does not wait", arguments: [false, true])
    func cancelled(isBefore: Bool) async {
        await onLoop { loop in
            let waiter = Waiter()
            let task = Task(executorPreference: loop) {
                if isBefore { withUnsafeCurrentTask { $0?.cancel() } }
                await waiter.wait()
                await waiter.wait()
            }
            for _ in 0..<3 { await Task.yield() }
            task.cancel()
            await task.value
            waiter.wake()
        }
    }

    @Test("after one task was cancelled another may wait")
    func isReusable() async {
        let woken = await onLoop { loop in
            let waiter = Waiter()
            let first = Task(executorPreference: loop) { await waiter.wait() }
            for _ in 0..<3 { await Task.yield() }
            first.cancel()
            await first.value
            let seen = Count()
            let second = Task(executorPreference: loop) {
                await waiter.wait()
                seen.up()
            }
            for _ in 0..<3 { await Task.yield() }
            let before = seen.value
            waiter.wake()
            await second.value
            return [before, seen.value]
        }
        #expect(woken == [0, 1])
    }
}
