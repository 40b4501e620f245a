extension UsageTable {
    /// Creates the result of a query from daily sums in memory.
    init(_ query: UsageQuery, _ sums: [(key: SumKey, sum: DailySum)]) {
        let first = query.first?.number ?? .min
        let days = first...max(first, query.last?.number ?? .max)
        var groups: [[String?]: UsageFigures] = [:]
        for (key, sum) in sums where days.contains(key.day) && (query.caller == nil || query.caller == key.caller) {
            let accumulator = query.countsCalls ? sum.calls : sum.requests
            guard accumulator.count != 0 else { continue }
            let values = query.dimensions.map { dimension in
                let text =
                    switch dimension {
                    case .day: Day(number: key.day).text
                    case .model: key.model
                    case .caller: key.caller
                    case .provider: key.provider
                    case .endpoint: key.endpoint
                    }
                return text.isEmpty ? nil : text
            }
            groups[values, default: UsageFigures()] += accumulator.figures
            self.sum += accumulator.figures
        }
        let day = query.dimensions.firstIndex(of: .day)
        let sorted = groups.sorted { one, other in
            if let day, one.key[day] != other.key[day] { return (one.key[day] ?? "") < (other.key[day] ?? "") }
            if one.value.requests != other.value.requests { return one.value.requests > other.value.requests }
            return one.key.lexicographicallyPrecedes(other.key) {
                ($0 ?? "").utf8.lexicographicallyPrecedes(($1 ?? "").utf8)
            }
        }
        for (values, figures) in sorted { append(Row(values: values, figures: figures, isPartial: false)) }
    }
}
