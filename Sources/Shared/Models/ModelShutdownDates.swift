import Engine
import Synchronization

/// The shutdown dates of all models, which the relay reports in its metrics and its log.
package final class ModelShutdownDates: MetricsSource {
    private let ends: Lock<[(name: String, day: Day)]>
    private let log: Log

    /// The number of days before a model's shutdown at which warnings begin.
    private static let warnedDays = 30
    private static let namedModels = 20

    package init(_ modelCatalog: ModelCatalog, _ log: Log) {
        ends = Lock([])
        self.log = log
        use(modelCatalog)
    }

    /// Replaces the shutdown dates with those in a new catalog, and logs a warning about models that end soon.
    package func use(_ modelCatalog: ModelCatalog) {
        let ending = modelCatalog.ending
        ends.withLock { $0 = ending }
        let bound = Day.today.adding(days: Self.warnedDays)
        let soon = ending.filter { $0.day <= bound }.sorted { ($0.day, $0.name) < ($1.day, $1.name) }
        guard !soon.isEmpty else { return }
        let named = soon.prefix(Self.namedModels).map { "\($0.name) \($0.day.text)" }.joined(separator: ", ")
        log.warning("models end") { line in
            line.add("count", soon.count)
            line.add("models", named)
        }
    }

    package func write(to text: inout MetricsText) {
        text.gauge(
            "relay_model_shutdown_timestamp_seconds",
            "Day on which the vendor shuts down a model, in seconds since 1970."
        )
        for (name, day) in ends.withLock({ $0 }) { text.sample(("model", name), value: day.secondsSince1970) }
    }
}
