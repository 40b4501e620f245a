import CBlocks

/// A cache of freed memory blocks of more than 64 KB for reuse. The blocks count in the memory budget. All threads
/// share the blocks.
///
/// `@unchecked`: this object, which only frees blocks, is used on its loop only. It is created before the loop runs.
package final class KeptBlocks: TimerTarget, @unchecked Sendable {
    private let budget: MemoryBudget
    private let loop: EventLoop
    private let worker: Worker
    private lazy var timer = Timer(self)
    /// The bytes of the unused blocks that the cache has freed since it last called `Memory.giveBack`.
    private var freedBytes = 0

    private static let turnNanoseconds: UInt64 = 1_000_000_000
    /// The number of seconds after which an unused block is freed.
    private static let idleTurns: UInt32 = 5
    /// The number of bytes that must be freed before `Memory.giveBack` returns free memory to the system.
    private static let trimmedBytes = 16_777_216

    /// Starts the cache for the whole process. Call it once, before the loops run.
    /// - Parameters:
    ///   - budget: the memory budget in which the blocks count. It lives as long as the process.
    ///   - loop: the loop whose timer frees unused blocks.
    ///   - worker: the thread that returns freed memory to the system.
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

    /// Frees cached blocks, the oldest first, until at least `bytes` bytes or all are freed.
    static func free(_ bytes: Int) { relay_kept_end(bytes) }
}
