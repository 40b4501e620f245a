import CBlocks
import CLinux
import Glibc

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

    /// Waits until the loop has stopped and its thread has ended. Blocks the calling thread.
    package func join() { worker.join() }
}
