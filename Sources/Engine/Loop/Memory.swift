import CLinux

/// The C library's use of memory that is freed.
package enum Memory {
    /// Before other threads start. By default 128 KB at the end of a thread's heap go back to the system at once, and
    /// are faulted in again by the next burst: a tenth of a stream's cost.
    ///
    /// Blocks of a megabyte and more are mapped by themselves, and are the system's as soon as they are freed. By default
    /// malloc takes ever larger ones from its heaps, which then have holes for as long as the process runs. `KeptBlocks`
    /// keeps those that are used again.
    package static func prepareProcess() {
        mallopt(M_TRIM_THRESHOLD, 16_777_216)
        mallopt(M_MMAP_THRESHOLD, 1_048_576)
    }

    /// Gives memory that is free back to the system. It takes some milliseconds.
    static func giveBack() { malloc_trim(0) }
}

/// Gives the memory of a rush of connections back to the system, a second after most of them have gone.
final class Rush: TimerTarget {
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
