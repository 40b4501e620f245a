extension EventLoop {
    /// Suspends the current task, which must run on this loop. Returns early if the task is cancelled.
    package func sleep(nanoseconds: UInt64) async {
        let sleeper = Sleeper()
        arm(sleeper.timer, at: now + nanoseconds)
        await sleeper.waiter.wait()
        remove(sleeper.timer)
    }
}

private final class Sleeper: TimerTarget {
    let waiter = Waiter()
    private(set) lazy var timer = Timer(self)

    func timerFired() { waiter.wake() }
}
