package import Engine

/// Runs `body` as a task on a loop with its own thread. Both end with it.
package func onLoop<Result: Sendable>(
    _ loop: EventLoop = EventLoop(),
    _ body: @escaping @Sendable (EventLoop) async -> Result
) async -> Result {
    let thread = LoopThread(loop)
    let result = await Task(executorPreference: loop) { await body(loop) }.value
    loop.stop()
    thread.join()
    return result
}

extension EventLoop {
    /// Returns when the loop has done all ready work. Work that one turn makes ready is done in the next.
    package func settle(turns: Int = 4) {
        for _ in 0..<turns {
            let gate = Gate()
            call { gate.open() }
            gate.wait()
        }
    }

    /// Moves the clock, for a loop that ends because of it.
    package func passLast(milliseconds: UInt64, on clock: ManualClock) {
        settle()
        clock.advance(milliseconds: milliseconds)
        wakeUp()
    }

    /// Moves the clock, and returns when the loop has done the work that was due.
    package func pass(milliseconds: UInt64, on clock: ManualClock) {
        settle()
        clock.advance(milliseconds: milliseconds)
        settle()
    }
}
