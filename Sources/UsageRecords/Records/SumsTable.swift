import Shared

/// A set of the text fields by which daily sums are grouped: caller, model, provider and endpoint.
struct SumFields: OptionSet, Sendable, Hashable {
    let rawValue: Int

    // The bits that `GROUPING(caller, model, provider, endpoint)` has in PostgreSQL.
    static let caller = SumFields(rawValue: 8)
    static let model = SumFields(rawValue: 4)
    static let provider = SumFields(rawValue: 2)
    static let endpoint = SumFields(rawValue: 1)
}

extension SumFields {
    init(_ fields: some Sequence<UsageField>) {
        self = fields.reduce(into: []) { $0.insert(SumFields($1)) }
    }

    init(_ field: UsageField) {
        switch field {
        case .caller: self = .caller
        case .model: self = .model
        case .provider: self = .provider
        case .endpoint: self = .endpoint
        }
    }

    func contains(_ field: UsageField) -> Bool { contains(SumFields(field)) }
}

extension UsageQuery {
    /// The fields by which sums must be grouped to serve this query.
    var fields: SumFields { SumFields(dimensions.compactMap(\.field) + (caller == nil ? [] : [.caller])) }
}

extension RecordFilter {
    /// The fields by which sums must be grouped to serve this filter.
    var fields: SumFields { SumFields(texts.keys) }
}

/// A table of stored sums: by day, or by hour.
struct SumsTable {
    /// The table's name in SQLite.
    let name: String
    let postgresName: String
    /// The column of the day or hour since 1970.
    let span: String
    /// The text columns by which the sums are grouped.
    let fields: [UsageField]
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
        span: "day",
        fields: UsageField.allCases,
        hasTimes: false,
        omissions: [
            [.caller, .model], [.caller, .endpoint], [.caller, .provider], [.model, .provider], [.model, .endpoint],
            [.provider, .endpoint], [],
        ]
    )
    static let hours = SumsTable(
        name: "hours",
        postgresName: "relay_usage_hours",
        span: "hour",
        fields: [.model, .provider],
        hasTimes: true,
        omissions: [
            [.caller, .endpoint], [.caller, .endpoint, .model], [.caller, .endpoint, .provider],
            [.caller, .endpoint, .model, .provider],
        ]
    )

    /// The columns by which the sums are grouped.
    var keys: [String] { ["omitted", span] + fields.map(\.rawValue) }

    var columns: [String] { UsageSchema.sumColumns + (hasTimes ? RequestTimes.columns : []) }

    /// Returns a set of omitted fields whose sums can be grouped by `fields`, with few rows; nil if there is none.
    func omitted(keeping fields: SumFields) -> SumFields? {
        hasTimes ? omissions.last { $0.isDisjoint(with: fields) } : omissions.first { $0.isDisjoint(with: fields) }
    }
}
