import CBlocks

/// The cache of freed blocks of more than 64 KB, from requests, responses and parsers of large JSON. The system needs a
/// page fault for each 4 KB of newly mapped memory, so blocks are kept for reuse. They count against the memory budget
/// and may use an eighth of it. They are freed if they are not used for some seconds, or as soon as the memory is
/// needed.
///
/// All threads of the process share the blocks, because a body is read on its loop and often freed on a worker.
///
/// `@unchecked`: used on its loop only, except for `init`, before the loop runs.
package final class KeptBlocks: TimerTarget, @unchecked Sendable {
    private let budget: MemoryBudget
    private let loop: EventLoop
    private let worker: Worker
    private lazy var timer = Timer(self)
    /// The bytes of blocks that were freed since memory was last returned to the system.
    private var freedBytes = 0

    private static let turnNanoseconds: UInt64 = 1_000_000_000
    /// The number of turns without use after which a block is freed.
    private static let idleTurns: UInt32 = 5
    /// The number of freed bytes from which memory is returned to the system.
    private static let trimmedBytes = 16_777_216

    /// Begins to keep blocks. Call it once in a process, before other threads start.
    ///
    /// - Parameters:
    ///   - budget: counts the blocks as long as the process lasts.
    ///   - loop: frees idle blocks.
    ///   - worker: returns freed memory to the system, which takes some milliseconds.
    package init(_ budget: MemoryBudget, _ loop: EventLoop, by worker: Worker) {
        self.budget = budget
        self.loop = loop
        self.worker = worker
        relay_keep_large(
            budget.bytes / 8,
            Unmanaged.passRetained(budget).toOpaque(),
            { context, bytes in
                guard let context else { return false }
                return Unmanaged<MemoryBudget>.fromOpaque(context).takeUnretainedValue().keep(bytes)
            },
            { context, bytes in
                guard let context else { return }
                Unmanaged<MemoryBudget>.fromOpaque(context).takeUnretainedValue().removeKept(bytes)
            }
        )
        loop.arm(timer, at: loop.now + Self.turnNanoseconds)
    }

    package func timerFired() {
        freedBytes += relay_kept_turn(Self.idleTurns)
        if freedBytes >= Self.trimmedBytes, budget.keptBytes == 0 {
            freedBytes = 0
            worker.begin { Memory.giveBack() }
        }
        loop.arm(timer, at: loop.now + Self.turnNanoseconds)
    }

    /// Frees kept blocks, the oldest first, until they contained `bytes` bytes or none is left.
    static func free(_ bytes: Int) { relay_kept_end(bytes) }
}
