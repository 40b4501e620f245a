import Engine
import Limits

/// The locations of a provider that are in cooldown, and the models that locations lack.
///
/// All event loops share the object.
package final class LocationCooldowns: Sendable {
    private struct State {
        var cooldowns: [KeyCooldown?]
        /// The time until which a location counts as lacking a model. The key contains the location and the model.
        var missing = RecentTable<String, LoopTime>()
    }

    private let state: Lock<State>

    private static let mostMissing = 1_000
    private static let missingNanoseconds: UInt64 = 3_600_000_000_000

    package init(count: Int) { state = Lock(State(cooldowns: Array(repeating: nil, count: count))) }

    /// Returns the indexes of the locations to try for a model, in this order.
    ///
    /// Leaves out locations in cooldown. If all are in cooldown, returns only the one whose cooldown ends first.
    /// Locations that lack the model come last.
    func order(for model: String, at now: LoopTime) -> [Int] {
        state.withLock { state in
            let ends = state.cooldowns.map { $0?.endsAt ?? .distantPast }
            var available = ends.indices.filter { ends[$0] <= now }
            if available.isEmpty, let first = ends.indices.min(by: { ends[$0] < ends[$1] }) { available = [first] }
            let lacking = available.filter { state.missing.use("\($0) \(model)").map { now < $0 } ?? false }
            return available.filter { !lacking.contains($0) } + lacking
        }
    }

    func served(_ location: Int) { state.withLock { $0.cooldowns[location] = nil } }

    func failed(_ location: Int, _ model: String, error: UpstreamError, at now: LoopTime) {
        state.withLock { state in
            switch error.kind {
            case .unknownModel:
                state.missing.set("\(location) \(model)", now + Self.missingNanoseconds, atMost: Self.mostMissing)
            case .rateLimited, .outOfCredit:
                if let rest = error.cooldown {
                    state.cooldowns[location] = KeyCooldown(rest, at: now, after: state.cooldowns[location])
                }
            default: break
            }
        }
    }
}
