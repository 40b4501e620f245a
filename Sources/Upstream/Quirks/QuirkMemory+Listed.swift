import Engine
import Shared

extension QuirkMemory {
    /// A remembered quirk, as operators see it.
    package struct ListedQuirk: Sendable {
        /// The id of the quirk. Instances of one version that have learned it for the same callers have the same id.
        package let id: String
        package let provider: String
        package let model: String
        package let quirk: String
        /// The requests that are changed, in words; empty for all.
        package let condition: String
        /// The callers whose requests are changed, in words.
        package let scope: String
        /// The number of callers that have met the quirk.
        package let callers: Int
        /// The time of the first refusal, in seconds since 1970.
        package let learnedAt: Int
        /// The time from which a request tries to do without the quirk, in seconds since 1970.
        package let endsAt: Int
        /// The vendor's words, without the request's own; empty if a response without words showed the quirk.
        package let words: String
    }

    /// Returns all remembered quirks, by provider and model.
    package func listed() -> [ListedQuirk] {
        var all: [ListedQuirk] = []
        rows.withLock { rows in
            rows.forEach { name, row in for entry in row.entries { all.append(ListedQuirk(entry, of: name)) } }
        }
        return all.sorted { ($0.provider, $0.model, $0.quirk, $0.id) < ($1.provider, $1.model, $1.quirk, $1.id) }
    }

    /// Forgets the quirk with this id. Returns it; nil if there is none.
    @discardableResult
    package func forget(id: String) -> ListedQuirk? {
        rows.withLock { rows in
            var names: [ModelCaller] = []
            rows.forEach { name, _ in names.append(name) }
            var found: ListedQuirk?
            for name in names {
                rows.visit(name) { row in
                    row.entries.removeAll { entry in
                        let quirk = ListedQuirk(entry, of: name)
                        if quirk.id == id { found = quirk }
                        return quirk.id == id
                    }
                }
            }
            return found
        }
    }

    /// Writes the number of remembered quirks of each model to the metrics.
    func write(to text: inout MetricsText) {
        text.gauge("relay_vendor_quirks", "Remembered changes of requests that a model of a provider needs.")
        let series = Dictionary(grouping: listed()) { [$0.provider, $0.model, $0.quirk] }
        for (names, quirks) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }).prefix(Self.maxSeries) {
            text.sample(("provider", names[0]), ("model", names[1]), ("quirk", names[2]), value: quirks.count)
        }
    }

    private static let maxSeries = 300
}

extension QuirkMemory.ListedQuirk {
    fileprivate init(_ entry: QuirkEntry, of row: ModelCaller) {
        let condition = entry.finding.conditionText
        // Conditions on a whole value differ although their words do not.
        let state = entry.finding.beside.map { "\($0.state)" } ?? ""
        let key = "\(row)\n\(entry.finding.name)\n\(condition)\n\(state)"
        id = key.withBytes { String(Digest(of: $0).words.0, radix: 16) }
        provider = row.provider
        model = row.model
        quirk = entry.finding.name
        self.condition = condition
        scope = row.owner.scope(isForAll: entry.isConfirmed)
        callers = entry.voices.count
        learnedAt = entry.firstLearnedAt
        endsAt = entry.learnedAt + QuirkRows.lifeSeconds
        words = entry.words
    }
}
