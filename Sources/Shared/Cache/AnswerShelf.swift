package import Engine
package import Limits
import Synchronization

/// All answers that the process keeps, or finds in the store that instances share, and the requests that wait for one.
package final class AnswerShelf: Sendable {
    let memory: MemoryAnswers
    /// Nil: there is no memcached.
    let shared: SharedState?
    package let flights = Flights()
    let worker: Worker
    let hits = Atomic(0)
    let misses = Atomic(0)
    let coalesced = Atomic(0)
    /// Of answers that are on their way to the store.
    let leaving = Atomic(0)

    /// - Parameter worker: opens what is long.
    package init(_ budget: MemoryBudget, shared: SharedState?, worker: Worker) {
        memory = MemoryAnswers(budget)
        self.shared = shared
        self.worker = worker
    }

    /// Nothing is kept any more.
    package func removeAll() { memory.removeAll() }
}

/// The cache as the settings have it.
package struct AnswerCache: Sendable {
    package let settings: CacheSettings
    package let shelf: AnswerShelf
    private let lifeNanoseconds: UInt64
    private let bounds: MemoryAnswers.Bounds

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
    }

    private var shared: SharedState? { settings.store == .memcached ? shelf.shared : nil }

    /// The longest answer that is kept.
    package var longestBytes: Int {
        shared == nil ? min(Self.longestBytes, settings.mostBytes / 4) : Self.longestSharedBytes
    }

    package func count(isHit: Bool) {
        if isHit { shelf.hits.add(1, ordering: .relaxed) } else { shelf.misses.add(1, ordering: .relaxed) }
    }

    /// A request was answered with the answer to another.
    package func countCoalesced() { shelf.coalesced.add(1, ordering: .relaxed) }

    /// From this process's memory; nil: it is not there.
    package func answerAtOnce(_ key: AnswerKey, on loop: EventLoop) -> Body? {
        shared == nil ? shelf.memory.answer(key, at: loop.nowNanoseconds) : nil
    }

    /// Nil: there is none, or the store is away.
    package func answer(_ key: AnswerKey, on loop: EventLoop) async -> Body? {
        guard let shared else { return answerAtOnce(key, on: loop) }
        guard let sealed = try? await shared.read(key.name, on: loop) else { return nil }
        guard sealed.count > Self.loopBytes else { return Self.opened(sealed, key) }
        return await shelf.worker.result(on: loop, withinNanoseconds: Self.patienceNanoseconds) {
            Self.opened(sealed, key)
        } ?? nil
    }

    private static let loopBytes = 262_144

    private static func opened(_ sealed: [UInt8], _ key: AnswerKey) -> Body? {
        key.seal.open(sealed, context: AnswerKey.context).map { opened in
            opened.withUnsafeBytes { Body(copying: $0) }
        }
    }

    /// Keeps an answer. Nobody waits for a store.
    package func add(_ answer: Body, _ key: AnswerKey, on loop: EventLoop) {
        guard answer.bytes.count <= longestBytes else { return }
        guard let shared else {
            let end = lifeNanoseconds == 0 ? .max : loop.nowNanoseconds + lifeNanoseconds
            return shelf.memory.add(answer, key, until: end, within: bounds)
        }
        guard shelf.leaving.load(ordering: .relaxed) <= Self.leavingBytes else { return }
        let leaving = Leaving(answer, shelf)
        // Memcached counts seconds.
        let seconds = lifeNanoseconds == 0 ? 0 : Int(clamping: (lifeNanoseconds + 999_999_999) / 1_000_000_000)
        shared.put(key.name, expirySeconds: seconds) {
            key.seal.seal(Array(leaving.answer.bytes), context: AnswerKey.context)
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
