import Engine
package import Shared
import Synchronization

/// A logger for trouble with providers and keys. It logs a warning when trouble begins, and an info when it is over.
///
/// Repeated trouble causes at most one warning a minute. All event loops share the object.
package final class ProviderNotices: Sendable {
    package enum State: Hashable, Sendable {
        /// The key is in cooldown, because the provider refused it or its account has no credit left.
        /// - Parameter setting: the name of the setting with the key.
        case keyRefused(provider: String, key: String, setting: String)
        case unreachable(provider: String)
        case breakerOpen(provider: String, model: String)

        fileprivate var provider: String {
            switch self {
            case .keyRefused(let provider, _, _), .unreachable(let provider), .breakerOpen(let provider, _): provider
            }
        }

        /// The action that ends the trouble, for the log.
        fileprivate var remedy: String {
            let prefix = "PROVIDER_\(provider.asInstance)_"
            return switch self {
            case .keyRefused(_, _, let setting):
                """
                correct the key in \(setting) and reload, or add credit and then resume the provider on the admin pages or \
                restart; a call that succeeds ends the cooldown
                """
            case .unreachable: "check \(prefix)BASE_URL with `relay check --ask`; a call that is answered ends this"
            case .breakerOpen: "the first call that succeeds after this time closes it"
            }
        }
    }

    private struct KnownState {
        /// The time at which the trouble began; nil if the trouble is over.
        var beganAt: LoopTime?
        /// The last failure that showed the trouble.
        var cause = ""
        var isLogged = false
        var loggedAt: LoopTime?
    }

    private let states = Lock<[State: KnownState]>([:])
    private let unreachable = Atomic(0)
    private let log: Log

    private static let pauseNanoseconds: UInt64 = 60_000_000_000
    /// The number of troubles that are remembered. If there are more, those that are over are forgotten.
    private static let statesLimit = 1_000

    package init(_ log: Log) { self.log = log }

    /// Whether at least one provider cannot be reached.
    var hasUnreachable: Bool { unreachable.load(ordering: .relaxed) > 0 }

    /// Records that the trouble `state` has begun or still lasts. Logs at most one warning until it is over.
    /// - Parameters:
    ///   - cause: the failure that the warning names.
    ///   - end: the end of the key's cooldown or of the time for which the breaker is open; nil if it is not known.
    func begins(_ state: State, at now: LoopTime, _ cause: String, until end: LoopTime? = nil) {
        let isNews = states.withLock { states in
            var known = states[state] ?? KnownState()
            if known.beganAt == nil {
                known.beganAt = now
                if case .unreachable = state { unreachable.add(1, ordering: .relaxed) }
            }
            known.cause = cause
            let isDue = known.loggedAt.map { now.nanoseconds(since: $0) >= Self.pauseNanoseconds } ?? true
            let isNews = !known.isLogged && isDue
            if isNews {
                known.isLogged = true
                known.loggedAt = now
            }
            states[state] = known
            if states.count > Self.statesLimit { states = states.filter { $0.value.beganAt != nil } }
            return isNews
        }
        guard isNews else { return }
        let seconds = end.map { ($0.milliseconds(since: now) + 999) / 1_000 }
        switch state {
        case .keyRefused:
            log.warning("a provider refuses a key; the key is in cooldown") { add(state, cause, seconds, to: &$0) }
        case .unreachable: log.warning("a provider cannot be reached") { add(state, cause, nil, to: &$0) }
        case .breakerOpen: log.warning("a circuit breaker has opened") { add(state, cause, seconds, to: &$0) }
        }
    }

    /// Returns the cause and the beginning of a trouble that is not over; nil if it is over or never began.
    func trouble(_ state: State) -> (cause: String, beganAt: LoopTime)? {
        states.withLock { states in states[state].flatMap { known in known.beganAt.map { (known.cause, $0) } } }
    }

    /// Records that a trouble, such as an open circuit breaker, is over. Logs an info if a warning was logged for it.
    func ends(_ state: State, at now: LoopTime) {
        let logged = states.withLock { states -> LoopTime? in
            guard var known = states[state], let beganAt = known.beganAt else { return nil }
            let isLogged = known.isLogged
            known.beganAt = nil
            known.isLogged = false
            states[state] = known
            if case .unreachable = state { unreachable.subtract(1, ordering: .relaxed) }
            return isLogged ? beganAt : nil
        }
        guard let logged else { return }
        let seconds = now.milliseconds(since: logged) / 1_000
        switch state {
        case .keyRefused: log.info("a provider accepts a key again") { add(state, seconds, to: &$0) }
        case .unreachable: log.info("a provider can be reached again") { add(state, seconds, to: &$0) }
        case .breakerOpen: log.info("a circuit breaker has closed") { add(state, seconds, to: &$0) }
        }
    }

    private func add(_ state: State, to line: inout LogLine) {
        line.add("provider", state.provider)
        switch state {
        case .keyRefused(_, let key, _): line.add("key", key)
        case .unreachable: break
        case .breakerOpen(_, let model): line.add("model", model)
        }
    }

    private func add(_ state: State, _ cause: String, _ seconds: Int?, to line: inout LogLine) {
        add(state, to: &line)
        line.add("cause", cause)
        if let seconds { line.add("for_s", seconds) }
        line.add("remedy", state.remedy)
    }

    private func add(_ state: State, _ seconds: Int, to line: inout LogLine) {
        add(state, to: &line)
        line.add("after_s", seconds)
    }

    /// Forgets the trouble with a provider's keys, because its keys have changed.
    package func forgetKeys(of provider: String) {
        forget { if case .keyRefused(provider, _, _) = $0 { true } else { false } }
    }

    /// Forgets which circuit breakers are open and which providers cannot be reached, because new settings reset both.
    package func forgetBreakers() {
        forget { if case .keyRefused = $0 { false } else { true } }
    }

    private func forget(_ isForgotten: (State) -> Bool) {
        states.withLock { states in
            for state in states.keys.filter(isForgotten) {
                let isOpen = states.removeValue(forKey: state)?.beganAt != nil
                if isOpen, case .unreachable = state { unreachable.subtract(1, ordering: .relaxed) }
            }
        }
    }
}
