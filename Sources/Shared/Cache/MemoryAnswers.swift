package import Engine
import Limits

/// Answers, or other texts of vendors, in the process's memory. All loops share them. The one that is longest unused goes
/// first.
package final class MemoryAnswers: Sendable {
    /// The most that is kept.
    package struct Bounds: Sendable {
        let entries: Int
        let bytes: Int

        package init(entries: Int, bytes: Int) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    private struct Entry {
        let answer: Body
        let endsAt: LoopTime
        var bytes: Int { answer.bytes.count + MemoryAnswers.overheadBytes }
    }

    private struct Shelf {
        var entries = RecentTable<Digest, Entry>()
        var bytes = 0
        /// The part of the budget that covers them.
        var hold: MemoryHold?

        mutating func remove(_ key: Digest) { if let entry = entries.remove(key) { bytes -= entry.bytes } }

        /// False: there is none.
        mutating func removeLeastRecent() -> Bool {
            guard let old = entries.leastRecent else { return false }
            remove(old.key)
            return true
        }
    }

    private let shelf = Lock(Shelf())
    private let budget: MemoryBudget
    /// Of an entry, besides its answer.
    package static let overheadBytes = 320

    package init(_ budget: MemoryBudget) { self.budget = budget }

    package func answer(_ key: Digest, at now: LoopTime) -> Body? {
        shelf.withLock { shelf in
            guard let entry = shelf.entries.use(key) else { return nil }
            if entry.endsAt > now { return entry.answer }
            shelf.remove(key)
            return nil
        }
    }

    /// Keeps an answer in place of the one that is there. One that does not fit, or that the memory budget has no room
    /// for, is not kept.
    package func add(_ answer: Body, _ key: Digest, until end: LoopTime, within bounds: Bounds) {
        let entry = Entry(answer: answer, endsAt: end)
        shelf.withLock { shelf in
            shelf.remove(key)
            guard entry.bytes <= bounds.bytes else { return }
            while shelf.entries.count >= bounds.entries || shelf.bytes + entry.bytes > bounds.bytes,
                shelf.removeLeastRecent()
            {}
            while !budget.covers(shelf.bytes + entry.bytes, &shelf.hold) {
                guard shelf.removeLeastRecent() else { return }
            }
            shelf.entries.set(key, entry)
            shelf.bytes += entry.bytes
        }
    }

    package func removeAll() { shelf.withLock { $0 = Shelf() } }

    /// The number of entries, and their size.
    package var size: (entries: Int, bytes: Int) { shelf.withLock { ($0.entries.count, $0.bytes) } }
}
