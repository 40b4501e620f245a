import Engine
import Shared
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
        let loop = CommandLoop()
        let questions = settings.providers.flatMap { questions($0, loop.client) }
        let all = loop.results(of: questions.count, mostOpen: Self.mostOpen, withinSeconds: Self.seconds) { index in
            await questions[index].ask()
        }
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
