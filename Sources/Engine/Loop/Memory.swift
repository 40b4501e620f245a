import CLinux

/// Functions that control how the C library returns freed memory to the system.
package enum Memory {
    /// Sets malloc's options. Call this method before other threads start.
    package static func prepareProcess() {
        // Up to 16 MB of free memory stay in the process, so that a burst of load need not map memory again.
        mallopt(M_TRIM_THRESHOLD, 16_777_216)
        mallopt(M_MMAP_THRESHOLD, 1_048_576)
    }

    /// The bytes that the process has allocated with malloc and not freed.
    package static var allocatedBytes: Int {
        let info = mallinfo2()
        return Int(clamping: info.uordblks) + Int(clamping: info.hblkhd)
    }

    /// Returns free memory to the system. It takes some milliseconds.
    static func giveBack() { malloc_trim(0) }
}

/// An object that returns free memory to the system after most connections of a loop have ended.
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
