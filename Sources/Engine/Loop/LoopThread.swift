import CLinux
import Glibc

/// A loop on a thread of its own.
package final class LoopThread {
    package let loop: EventLoop
    private var thread = pthread_t()

    package init(_ loop: EventLoop = EventLoop()) {
        self.loop = loop
        let context = Unmanaged.passRetained(loop).toOpaque()
        let code = pthread_create(&thread, nil, runLoop, context)
        precondition(code == 0, "no thread for a loop")
    }

    /// Returns when the loop has stopped.
    package func join() { pthread_join(thread, nil) }
}

private func runLoop(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    relay_name_thread("loop")
    if let context { Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}
