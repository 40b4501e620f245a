/// A set of the text fields by which daily sums are grouped: caller, model, provider and endpoint.
struct SumFields: OptionSet, Sendable, Hashable {
    let rawValue: Int

    // The bits that `GROUPING(caller, model, provider, endpoint)` has in PostgreSQL.
    static let caller = SumFields(rawValue: 8)
    static let model = SumFields(rawValue: 4)
    static let provider = SumFields(rawValue: 2)
    static let endpoint = SumFields(rawValue: 1)

    /// The sets of fields by which stored sums are not grouped. For example, `[.caller, .model]` stands for sums that
    /// are grouped by day, provider and endpoint.
    ///
    /// Each record is added to the sums of every set. The sets whose sums probably have the fewest rows come first.
    static let stored: [SumFields] = [
        [.caller, .model], [.caller, .endpoint], [.caller, .provider], [.model, .provider], [.model, .endpoint],
        [.provider, .endpoint], [],
    ]

    /// Returns the first set in `stored` that contains none of `fields`. The sums of this set can be grouped by
    /// `fields`.
    static func omitted(keeping fields: SumFields) -> SumFields { stored.first { $0.isDisjoint(with: fields) } ?? [] }
}

extension SumKey {
    /// Returns this key for sums that are not grouped by `fields`. The texts of these fields become empty.
    func omitting(_ fields: SumFields) -> SumKey {
        func kept(_ text: String, _ field: SumFields) -> String { fields.contains(field) ? "" : text }
        return SumKey(
            omitted: fields,
            day: day,
            caller: kept(caller, .caller),
            model: kept(model, .model),
            provider: kept(provider, .provider),
            endpoint: kept(endpoint, .endpoint)
        )
    }
}

extension UsageSums {
    /// The rows of daily sums for a database: for each set in `SumFields.stored`, the sums that are not grouped by
    /// these fields. The rows are sorted by key, so that writers do not deadlock.
    var stored: [(key: SumKey, sum: DailySum)] {
        var sums: [SumKey: DailySum] = [:]
        for row in rows {
            for omitted in SumFields.stored { sums[row.key.omitting(omitted), default: DailySum()] += row.sum }
        }
        return sums.map { (key: $0.key, sum: $0.value) }.sorted { $0.key < $1.key }
    }
}

extension DailySum {
    fileprivate static func += (sum: inout DailySum, more: DailySum) {
        sum.requests += more.requests
        sum.calls += more.calls
        sum.lastID = max(sum.lastID, more.lastID)
    }
}

extension RecordTotals {
    fileprivate static func += (sum: inout RecordTotals, more: RecordTotals) {
        sum.count &+= more.count
        sum.failed &+= more.failed
        sum.promptTokens &+= more.promptTokens
        sum.completionTokens &+= more.completionTokens
        sum.costs &+= more.costs
        sum.costMillionths &+= more.costMillionths
        sum.costRemainder &+= more.costRemainder
        sum.cachedTokens &+= more.cachedTokens
        sum.cacheWrites &+= more.cacheWrites
        sum.longCacheWrites &+= more.longCacheWrites
        sum.unpriced &+= more.unpriced
    }
}

extension UsageQuery {
    /// The fields by which sums must be grouped to serve this query.
    var fields: SumFields {
        var fields: SumFields = caller == nil ? [] : .caller
        for dimension in dimensions {
            switch dimension {
            case .day: break
            case .model: fields.insert(.model)
            case .caller: fields.insert(.caller)
            case .provider: fields.insert(.provider)
            case .endpoint: fields.insert(.endpoint)
            }
        }
        return fields
    }
}

extension RecordFilter {
    /// The fields by which sums must be grouped to serve this filter.
    var fields: SumFields {
        let texts = [(caller, SumFields.caller), (model, .model), (provider, .provider), (endpoint, .endpoint)]
        return SumFields(texts.compactMap { text, field in text == nil ? nil : field })
    }
}
