import Engine
import Shared
import Synchronization
import Upstream

/// The check that `relay check --ask` runs: one request without cost for each key of each provider.
struct ProviderCheck {
    /// The report of the check: a line for each key, and for each configured model that its vendor does not list.
    let text: String
    /// Whether every request of the check succeeded. All configured keys were then accepted by their vendors, which
    /// list all configured models.
    let isGood: Bool

    private static let mostOpen = 16
    private static let seconds = 12

    /// Checks the keys of all providers. Blocks for at most 12 s.
    /// - Parameter given: the names of the settings that the operator has set.
    init(_ settings: Settings, given: Set<String>, questions: (ProviderSettings, CurlClient) -> [ProviderQuestion]) {
        let (client, loop) = CurlClient.ofCommand()
        let questions = settings.providers.flatMap { questions($0, client) }
        let checkResults = CheckResults(questions.count)
        let thread = LoopThread(loop)
        for _ in 0..<min(Self.mostOpen, questions.count) {
            Task(executorPreference: loop) {
                while let index = checkResults.removeNext() {
                    checkResults.record(await questions[index].ask(), of: index)
                }
            }
        }
        let all = checkResults.wait(seconds: Self.seconds)
        loop.stop()
        thread.join()
        var lines: [String] = []
        var isGood = true
        for (question, checkResult) in zip(questions, all) {
            lines += question.lines(given, on: checkResult ?? .failed("no response within \(Self.seconds) s"))
            isGood = isGood && question.isGood(checkResult)
        }
        for provider in settings.providers where !questions.contains(where: { $0.provider.name == provider.name }) {
            let reason = provider.kind.usesNetwork ? "callers send their own keys" : "uses no network"
            lines.append("\(provider.name): not checked, \(reason)")
        }
        self.isGood = isGood
        text = "providers: \(isGood ? "no problems" : "problems")\n" + lines.map { "  \($0)\n" }.joined()
    }
}

/// The results of the requests that check keys. An event loop stores them while another thread waits.
private final class CheckResults: Sendable {
    private struct State {
        var next = 0
        var left: Int
        var all: [KeyCheckResult?]
    }

    private let state: Lock<State>
    private let signal = Signal()

    init(_ count: Int) { state = Lock(State(left: count, all: Array(repeating: nil, count: count))) }

    /// Returns the index of the next request to send; nil if all requests were started.
    func removeNext() -> Int? {
        state.withLock { state in
            guard state.next < state.all.count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    func record(_ checkResult: KeyCheckResult, of index: Int) {
        let isLast = state.withLock { state in
            state.all[index] = checkResult
            state.left -= 1
            return state.left == 0
        }
        if isLast { signal.wake() }
    }

    /// Waits until all results are there or this time has passed. Returns one item for each request; nil for a missing
    /// result.
    func wait(seconds: Int) -> [KeyCheckResult?] {
        let end = LoopTime.current().adding(seconds: seconds)
        while state.withLock({ $0.left }) > 0, LoopTime.current() < end { signal.wait(until: end) }
        return state.withLock { $0.all }
    }
}
