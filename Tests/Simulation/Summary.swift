/// The results of many runs, by kind of scenario.
package struct Summary {
    private struct Row {
        var runs = 0
        var decisions = 0
        var admitted = 0
        var calls = 0
        var utilisation: Double?
        var excess = 0
        var breaches = 0
    }

    private var rows: [String: Row] = [:]
    package private(set) var breaches = 0

    package init() {}

    package mutating func add(_ report: Report) {
        var row = rows[report.kind] ?? Row()
        row.runs += 1
        row.decisions += report.decisions
        row.admitted += report.admitted
        row.calls += report.calls
        if let part = report.utilisation { row.utilisation = min(row.utilisation ?? 1, part) }
        row.excess = max(row.excess, report.excess)
        row.breaches += report.breaches.count
        rows[report.kind] = row
        breaches += report.breaches.count
    }

    package func text(seconds: Double) -> String {
        var lines = [line(["kind", "seeds", "decisions", "admitted", "calls", "least used", "most over", "breaches"])]
        for kind in Scenario.Kind.allCases {
            guard let row = rows[kind.rawValue] else { continue }
            let used = row.utilisation.map { "\((($0 * 10_000).rounded()) / 100) %" } ?? "-"
            lines.append(
                line(
                    [kind.rawValue] + [row.runs, row.decisions, row.admitted, row.calls].map { "\($0)" } + [used]
                        + [row.excess, row.breaches].map { "\($0)" }
                )
            )
        }
        let runs = rows.values.reduce(0) { $0 + $1.runs }
        let decisions = rows.values.reduce(0) { $0 + $1.decisions }
        let rate = (Double(runs) / max(0.001, seconds)).rounded()
        lines.append("\(runs) seeds, \(rate) a second, \(decisions) decisions, \(breaches) breaches")
        return lines.joined(separator: "\n")
    }

    private func line(_ words: [String]) -> String {
        words.map { $0 + String(repeating: " ", count: max(0, 14 - $0.count)) }.joined()
    }
}
