package import Engine
import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(1_000_000_000_000)

    package init() {}

    package var now: LoopTime { LoopTime(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

    package func advance(milliseconds: UInt64) {
        nanoseconds.add(milliseconds * 1_000_000, ordering: .relaxed)
    }

    package func loop() -> EventLoop { EventLoop(clock: { [self] in now }) }
}
