import Engine
import Limits

/// The number that is a part of the names of all entries in the store that instances share. A new one has every instance
/// forget all entries: nothing finds them any more.
///
/// The number is a time, so that it grows also where the store has lost it. Instances read it while they use the cache, every
/// two seconds.
final class CacheGeneration: Sendable {
    private struct State {
        /// Nil: not known yet.
        var number: Int?
        var readAt = LoopTime.distantPast
    }

    private static let key = "relay:1:answers"
    private static let freshNanoseconds: UInt64 = 2_000_000_000
    private static let textLimitBytes = 20

    private let shared: SharedState
    private let state = Lock(State())

    init(_ shared: SharedState) { self.shared = shared }

    /// The number that was read last; nil: none was.
    var known: Int? { state.withLock { $0.number } }

    /// Returns the number, at most two seconds old. While the store is unavailable, the last one; nil if none was read.
    func current(on loop: EventLoop) async -> Int? {
        let now = loop.now
        let (known, isFresh) = state.withLock { state in
            let isFresh = state.number != nil && now.nanoseconds(since: state.readAt) < Self.freshNanoseconds
            // Others go on with the number that is known while this request reads it.
            if !isFresh { state.readAt = now }
            return (state.number, isFresh)
        }
        if isFresh { return known }
        do throws(StoreFailure) { return try await renew(beyond: nil, on: loop) } catch { return known }
    }

    /// Begins a new generation.
    func renew(on loop: EventLoop) async throws(StoreFailure) {
        _ = try await renew(beyond: state.withLock { $0.number } ?? 0, on: loop)
    }

    /// Reads the number. Where the store has none, or a lower one than this instance knows, it is written.
    ///
    /// - Parameter old: the number that the new one is above; nil: the number stays as it is.
    private func renew(beyond old: Int?, on loop: EventLoop) async throws(StoreFailure) -> Int {
        let (known, now) = (state.withLock { $0.number }, Timestamp.now())
        let number = try await shared.update(Self.key, expirySeconds: 0, on: loop) { bytes in
            let stored = bytes.flatMap(Self.number)
            let newest = max(stored ?? 0, known ?? 0)
            let number = old == nil ? (newest > 0 ? newest : now) : max(now, newest + 1)
            return SharedState.Change(number == stored ? nil : Array("\(number)".utf8), number)
        }
        let readAt = loop.now
        return state.withLock { state in
            let newest = max(number, state.number ?? 0)
            state = State(number: newest, readAt: readAt)
            return newest
        }
    }

    private static func number(_ bytes: [UInt8]) -> Int? {
        bytes.count <= textLimitBytes ? Int(String(decoding: bytes, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil } : nil
    }
}
