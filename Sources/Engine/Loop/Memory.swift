import CLinux

/// Functions that control how the C library handles freed memory.
package enum Memory {
    /// Sets malloc's options. Call it before other threads start.
    ///
    /// By default, malloc returns 128 KB at the end of a thread's heap to the system at once, and the next burst maps
    /// them again. That takes a tenth of a stream's cost.
    ///
    /// Blocks of a megabyte and more are mapped separately, and returned to the system as soon as they are freed. By
    /// default malloc takes larger and larger ones from its heaps, which then have holes until the process ends.
    /// `KeptBlocks` keeps blocks that are used again.
    package static func prepareProcess() {
        mallopt(M_TRIM_THRESHOLD, 16_777_216)
        mallopt(M_MMAP_THRESHOLD, 1_048_576)
    }

    /// Returns free memory to the system. Takes some milliseconds.
    static func giveBack() { malloc_trim(0) }
}

/// The release of memory after a peak of connections: it goes back to the system a second after most of them have
/// ended.
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
