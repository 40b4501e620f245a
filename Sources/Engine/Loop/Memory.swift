import CLinux

/// Functions that control how the C library returns freed memory to the system.
package enum Memory {
    /// Sets malloc's options. Call it before other threads start.
    ///
    /// The first option keeps up to 16 MB of free memory at the end of a heap. By default malloc keeps only 128 KB, and
    /// each burst of load would have to map memory again.
    ///
    /// The second option maps blocks of 1 MB and more separately, so that they return to the system when they are
    /// freed. By default malloc would put ever larger blocks into its heaps, which then keep holes. `KeptBlocks` caches
    /// blocks that are soon used again.
    package static func prepareProcess() {
        mallopt(M_TRIM_THRESHOLD, 16_777_216)
        mallopt(M_MMAP_THRESHOLD, 1_048_576)
    }

    /// Returns free memory to the system. It takes some milliseconds.
    static func giveBack() { malloc_trim(0) }
}

/// An object that returns memory to the system after a peak of connections, a second after most of them have ended.
final class PeakMemoryTrimmer: TimerTarget {
    private let loop: EventLoop
    private lazy var timer = Timer(self)
    private var most = 0
    private static let least = 512

    init(_ loop: EventLoop) { self.loop = loop }

    deinit { loop.remove(timer) }

    func connectionsRose(to count: Int) { most = max(most, count) }

    func connectionsFell(to count: Int) {
        guard most >= Self.least, count <= most / 8 else { return }
        most = count
        loop.arm(timer, at: loop.now + 1_000_000_000)
    }

    func timerFired() { Memory.giveBack() }
}
