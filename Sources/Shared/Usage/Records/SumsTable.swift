/// A set of the text fields by which daily sums are grouped: caller, model, provider and endpoint.
struct SumFields: OptionSet, Sendable, Hashable {
    let rawValue: Int

    // The bits that `GROUPING(caller, model, provider, endpoint)` has in PostgreSQL.
    static let caller = SumFields(rawValue: 8)
    static let model = SumFields(rawValue: 4)
    static let provider = SumFields(rawValue: 2)
    static let endpoint = SumFields(rawValue: 1)
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

/// A table of stored sums: by day, or by hour.
struct SumsTable {
    /// The table's name in SQLite.
    let name: String
    /// The table's name in PostgreSQL.
    let postgresName: String
    /// The columns by which the sums are grouped. The first is `omitted`, the second the day or hour since 1970.
    let keys: [String]
    /// Whether the sums contain the columns of `RequestTimes`.
    let hasTimes: Bool
    /// The sets of fields by which sums are not grouped. For example, `[.caller, .model]` stands for sums that are
    /// grouped by day, provider and endpoint.
    ///
    /// Each record is added to the sums of every set.
    let omissions: [SumFields]

    /// The sums by day. The sets whose sums probably have the fewest rows come first.
    static let days = SumsTable(
        name: "sums",
        postgresName: UsageSchema.postgresSums,
        keys: UsageSchema.sumKeys,
        hasTimes: false,
        omissions: [
            [.caller, .model], [.caller, .endpoint], [.caller, .provider], [.model, .provider], [.model, .endpoint],
            [.provider, .endpoint], [],
        ]
    )
    static let hours = SumsTable(
        name: "hours",
        postgresName: "relay_usage_hours",
        keys: ["omitted", "hour", "model", "provider"],
        hasTimes: true,
        omissions: [
            [.caller, .endpoint], [.caller, .endpoint, .model], [.caller, .endpoint, .provider],
            [.caller, .endpoint, .model, .provider],
        ]
    )

    var columns: [String] { UsageSchema.sumColumns + (hasTimes ? RequestTimes.columns : []) }

    /// Returns a set of omitted fields whose sums can be grouped by `fields`, with few rows; nil if there is none.
    func omitted(keeping fields: SumFields) -> SumFields? {
        hasTimes ? omissions.last { $0.isDisjoint(with: fields) } : omissions.first { $0.isDisjoint(with: fields) }
    }
}
