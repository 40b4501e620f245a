import Engine
import Limits

/// A number in the names of all cached responses in the shared store (memcached). A new number hides all earlier
/// responses.
final class CacheGeneration: Sendable {
    private struct State {
        /// The generation number; nil if it was never read.
        var number: Int?
        var readAt = LoopTime.distantPast
    }

    private static let key = "relay:1:answers"
    private static let freshNanoseconds: UInt64 = 2_000_000_000
    private static let textLimitBytes = 20

    private let shared: SharedState
    private let state = Lock(State())

    init(_ shared: SharedState) { self.shared = shared }

    /// The generation number that was last read from the store; nil if it was never read.
    var known: Int? { state.withLock { $0.number } }

    /// Returns the generation number; nil if it was never read. While the store is unavailable, returns the last known
    /// number.
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

    /// Begins a new generation, so that all instances forget the cached responses in the shared store.
    func renew(on loop: EventLoop) async throws(StoreFailure) {
        _ = try await renew(beyond: state.withLock { $0.number } ?? 0, on: loop)
    }

    /// Returns the generation number in the store, or begins a new generation.
    /// - Parameter old: nil to keep the current generation; any other value begins a new generation.
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
