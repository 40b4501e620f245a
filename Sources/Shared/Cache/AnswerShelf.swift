package import Engine
package import Limits
import Synchronization

/// All answers that the process keeps, or finds in the store that instances share, and the requests that wait for one.
package final class AnswerShelf: Sendable {
    package let memory: MemoryAnswers
    /// Nil: there is no memcached.
    let shared: SharedState?
    private let directory = Lock<FileAnswers?>(nil)
    package let flights = Flights()
    let worker: WorkQueue
    private let log: Log
    let hits = Atomic(0)
    let misses = Atomic(0)
    let coalesced = Atomic(0)
    /// Of answers that are on their way to the store.
    let leaving = Atomic(0)

    /// - Parameter worker: opens what is long.
    package init(_ budget: MemoryBudget, shared: SharedState?, worker: WorkQueue, _ log: Log) {
        memory = MemoryAnswers(budget)
        self.shared = shared
        self.worker = worker
        self.log = log
    }

    /// Nil: none was asked for.
    var files: FileAnswers? { directory.withLock { $0 } }

    /// The directory stays that of the first time.
    fileprivate func files(in path: String) -> FileAnswers {
        directory.withLock { directory in
            let files = directory ?? FileAnswers(in: "\(path)/cache", log)
            directory = files
            return files
        }
    }

    /// Nothing is kept in memory any more.
    package func removeAll() { memory.removeAll() }

    /// Returns when all is written.
    package func stop() { files?.stop() }

    /// Requests that were answered from the cache since the start.
    package var hitCount: Int { hits.load(ordering: .relaxed) }

    /// Removes all answers that the process keeps in its memory or directory. Blocks for the directory.
    package func clear() {
        memory.removeAll()
        files?.removeAll()
    }

    /// The number of answers in the process's memory or directory, and their size.
    package var size: (entries: Int, bytes: Int) {
        let kept = memory.size
        guard let written = files?.size else { return kept }
        return (kept.entries + written.entries, kept.bytes + written.bytes)
    }
}

/// The cache as the settings have it.
package struct AnswerCache: Sendable {
    package let settings: CacheSettings
    package let shelf: AnswerShelf
    private let place: Place
    private let lifeNanoseconds: UInt64
    private let bounds: MemoryAnswers.Bounds

    private enum Place {
        case memory
        case shared(SharedState)
        case files(FileAnswers)
    }

    /// Longer ones are kept nowhere.
    private static let longestBytes = 8 * 1_048_576
    /// memcached's own bound is a megabyte, with all that it adds.
    private static let longestSharedBytes = 1_000_000
    /// Of answers on their way to the store; more are not kept there.
    private static let leavingBytes = 16 * 1_048_576
    private static let patienceNanoseconds: UInt64 = 5_000_000_000

    package init(_ settings: CacheSettings, _ shelf: AnswerShelf) {
        self.settings = settings
        self.shelf = shelf
        lifeNanoseconds = UInt64(clamping: settings.life.nanoseconds)
        bounds = MemoryAnswers.Bounds(entries: settings.mostEntries, bytes: settings.mostBytes)
        if settings.store == .memcached, let shared = shelf.shared {
            place = .shared(shared)
        } else if settings.store == .data, let directory = settings.directory {
            place = .files(shelf.files(in: directory))
        } else {
            place = .memory
        }
    }

    /// The longest answer that is kept.
    package var longestBytes: Int {
        if case .shared = place { return Self.longestSharedBytes }
        return min(Self.longestBytes, settings.mostBytes / 4)
    }

    package func count(isHit: Bool) {
        if isHit { shelf.hits.add(1, ordering: .relaxed) } else { shelf.misses.add(1, ordering: .relaxed) }
    }

    /// A request was answered with the answer to another.
    package func countCoalesced() { shelf.coalesced.add(1, ordering: .relaxed) }

    /// From this process's memory; nil: it is not there.
    package func answerAtOnce(_ key: AnswerKey, on loop: EventLoop) -> Body? {
        guard case .memory = place else { return nil }
        return shelf.memory.answer(key.digest, at: loop.now)
    }

    /// Nil: there is none, or the store is away.
    package func answer(_ key: AnswerKey, on loop: EventLoop) async -> Body? {
        switch place {
        case .memory: return answerAtOnce(key, on: loop)
        case .files(let files): return await files.answer(key, on: loop)
        case .shared(let shared):
            guard let sealed = try? await shared.read(key.name, on: loop) else { return nil }
            guard sealed.count > Self.loopBytes else { return key.open(sealed) }
            return await shelf.worker.enqueuedResult(ofBytes: sealed.count, on: loop) { key.open(sealed) } ?? nil
        }
    }

    private static let loopBytes = 262_144

    /// Keeps an answer. Nobody waits for a store.
    ///
    /// - Parameter label: the origin of the answer, for an operator's list.
    package func add(_ answer: Body, _ key: AnswerKey, label: MemoryAnswers.Label, on loop: EventLoop) {
        guard answer.bytes.count <= longestBytes else { return }
        if case .memory = place {
            let end = lifeNanoseconds == 0 ? .distantFuture : loop.now + lifeNanoseconds
            return shelf.memory.add(answer, key.digest, until: end, within: bounds, label: label)
        }
        guard shelf.leaving.load(ordering: .relaxed) <= Self.leavingBytes else { return }
        let leaving = Leaving(answer, shelf)
        // Stores count seconds.
        let seconds = lifeNanoseconds == 0 ? 0 : Int(clamping: (lifeNanoseconds + 999_999_999) / 1_000_000_000)
        switch place {
        case .memory: break
        case .shared(let shared): shared.put(key.name, expirySeconds: seconds) { key.seal(leaving.answer) }
        case .files(let files):
            files.add(key, lastingSeconds: seconds, within: bounds) { key.seal(leaving.answer) }
        }
    }
}

/// An answer on its way to the store.
private final class Leaving: Sendable {
    let answer: Body
    private let shelf: AnswerShelf

    init(_ answer: Body, _ shelf: AnswerShelf) {
        self.answer = answer
        self.shelf = shelf
        shelf.leaving.add(answer.bytes.count, ordering: .relaxed)
    }

    deinit { shelf.leaving.subtract(answer.bytes.count, ordering: .relaxed) }
}
