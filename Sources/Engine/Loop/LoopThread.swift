import CBlocks
import CLinux
import Glibc

/// An event loop with its own thread.
package final class LoopThread: Sendable {
    package let loop: EventLoop
    private let worker = Worker()

    package init(_ loop: EventLoop = EventLoop()) {
        self.loop = loop
        worker.begin {
            relay_name_thread("loop")
            relay_keep_blocks(!relay_is_sanitized())
            loop.run()
            relay_keep_blocks(false)
        }
    }

    /// Returns when the loop has stopped. Blocks.
    package func join() { worker.join() }
}
