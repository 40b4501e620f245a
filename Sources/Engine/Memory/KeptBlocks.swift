import CBlocks

/// The blocks of over 64 KB that requests and responses have freed, kept for the next ones, and parsers of large JSON: memory
/// that the system maps anew costs a page fault for each 4 KB. They count in the memory budget, have an eighth of it at most, and are freed when
/// they are not used for some seconds, or as soon as somebody wants the memory.
///
/// All threads of the process share them, since a body is read on its loop and often freed on a worker.
///
/// `@unchecked`: used on its loop only, but for `init`, before the loop runs.
package final class KeptBlocks: TimerTarget, @unchecked Sendable {
    private let budget: MemoryBudget
    private let loop: EventLoop
    private let worker: Worker
    private lazy var timer = Timer(self)
    /// The bytes of blocks that were freed since memory was last given back to the system.
    private var freedBytes = 0

    private static let turnNanoseconds: UInt64 = 1_000_000_000
    /// A block that nobody used for so many turns is freed.
    private static let idleTurns: UInt32 = 5
    /// Once so much was freed after a rush, the system gets it back.
    private static let trimmedBytes = 16_777_216

    /// Begins to keep blocks. Call this once in a process, before other threads start.
    ///
    /// - Parameters:
    ///   - budget: counts the blocks, as long as the process lasts.
    ///   - loop: frees those that are idle.
    ///   - worker: gives the memory of a rush back to the system, which takes some milliseconds.
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
                Unmanaged<MemoryBudget>.fromOpaque(context).takeUnretainedValue().keepsNoLonger(bytes)
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

    /// Frees kept blocks, the oldest first, until they had so many bytes or none is left.
    static func free(_ bytes: Int) { relay_kept_end(bytes) }
}
