import Engine
import Testing

@Suite struct OneLoopTests {
    @Test("an object that two loops use ends a debug build")
    func twoLoops() async {
        await #expect(processExitsWith: .failure) {
            let oneLoop = SharedObjects()
            for thread in [LoopThread(), LoopThread()] {
                let isDone = Signal()
                thread.loop.call {
                    oneLoop.value.check()
                    isDone.wake()
                }
                isDone.wait()
            }
        }
    }

    @Test("one loop, and threads without any, may use it")
    func oneLoop() {
        let oneLoop = SharedObjects()
        oneLoop.value.check()
        let thread = LoopThread()
        thread.loop.call {
            oneLoop.value.check()
            oneLoop.value.check()
            thread.loop.stop()
        }
        thread.join()
        oneLoop.value.check()
    }

    @Test("a timer that another thread arms ends a debug build")
    func foreignTimer() async {
        await #expect(processExitsWith: .failure) {
            let thread = LoopThread()
            let (begun, target) = (Signal(), Target())
            thread.loop.call { begun.wake() }
            begun.wait()
            thread.loop.arm(Timer(target), at: .distantFuture)
        }
    }
}

private final class SharedObjects: Sendable {
    let value = OneLoop()
}

private final class Target: TimerTarget, Sendable {
    func timerFired() {}
}
