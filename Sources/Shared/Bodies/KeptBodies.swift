package import Engine

/// The bodies of a request and its response, for a usage record or a cached response. They are shortened and without
/// media, and their secrets are masked.
package final class KeptBodies: Sendable {
    private struct Texts {
        var request: String?
        var response: String?
        var bytes = 0
    }

    /// The largest body that can be kept with any settings, in bytes.
    package static let maxBytes = 262_144

    private let texts = Lock(Texts())
    private let budget: BodyBudget
    /// The largest number of bytes that are kept of each body.
    package let limitBytes: Int

    package init(limitBytes: Int, _ budget: BodyBudget) {
        self.limitBytes = limitBytes
        self.budget = budget
    }

    deinit { budget.give(bytes) }

    /// The request's body; nil if the request had none, the memory budget was full, or the text was removed.
    package var request: String? { texts.withLock { $0.request } }
    /// The response's body; nil if the response had none, the memory budget was full, or the text was removed.
    package var response: String? { texts.withLock { $0.response } }
    /// The memory that the request's and the response's body use together, in bytes.
    package var bytes: Int { texts.withLock { $0.bytes } }

    /// Removes the bodies of the request and the response, and releases their memory.
    package func removeAll() {
        let bytes = texts.withLock { texts in
            defer { texts = Texts() }
            return texts.bytes
        }
        budget.give(bytes)
    }

    package func keep(request text: String) { keep(text, \.request) }

    package func keep(response text: String) { keep(text, \.response) }

    private func keep(_ text: String, _ field: WritableKeyPath<Texts, String?>) {
        let bytes = text.utf8.count + Self.overheadBytes
        guard budget.reserve(bytes) else { return }
        let before = texts.withLock { texts in
            let before = texts[keyPath: field].map { $0.utf8.count + Self.overheadBytes } ?? 0
            texts[keyPath: field] = text
            texts.bytes += bytes - before
            return before
        }
        budget.give(before)
    }

    private static let overheadBytes = 64
}

/// A memory budget for bodies that usage records or cached responses keep. It is at most an eighth of the process's
/// memory budget.
package final class BodyBudget: Sendable {
    private struct State {
        var bytes = 0
        var reservation: MemoryReservation?
    }

    private static let slackBytes = 1_048_576

    private let state = Lock(State())
    private let budget: MemoryBudget
    private let limitBytes: Int

    package init(_ budget: MemoryBudget) {
        self.budget = budget
        limitBytes = budget.bytes / 8
    }

    /// Whether the budget is over three quarters full, so that old bodies should be removed.
    package var isNearlyFull: Bool { state.withLock { $0.bytes > limitBytes / 4 * 3 } }

    /// Reserves memory for a body. Returns false if there is no room.
    fileprivate func reserve(_ bytes: Int) -> Bool {
        state.withLock { state in
            guard state.bytes + bytes <= limitBytes, budget.covers(state.bytes + bytes, &state.reservation) else {
                return false
            }
            state.bytes += bytes
            return true
        }
    }

    fileprivate func give(_ bytes: Int) {
        guard bytes > 0 else { return }
        state.withLock { state in
            state.bytes -= bytes
            // Memory far beyond the need goes back.
            guard let reservation = state.reservation, reservation.bytes > 2 * state.bytes + Self.slackBytes else {
                return
            }
            var smaller: MemoryReservation?
            if budget.covers(state.bytes, &smaller) { state.reservation = smaller }
        }
    }
}
