import Engine
import Shared
import UsageRecords

/// The query parameters with which an operator searches request records.
enum RecordFields {
    static let names = [
        "keywords", "per_page", "page", "order_by", "order_dir", "caller", "model", "provider", "endpoint", "session",
        "user",
        "status", "last", "from", "to", "min_cost", "min_duration", "before",
    ]

    private static let textLimitBytes = 512

    static func query(_ fields: AdminQuery, _ zone: DayZone) throws(APIError) -> RecordQuery {
        var query = RecordQuery()
        query.recordsPerPage = try fields.number("per_page", 1...RecordQuery.maxRecords) ?? 10
        query.page = try fields.number("page", 1...RecordQuery.maxTotal) ?? 1
        let orders = RecordOrder.allCases.map(\.rawValue)
        query.order = try fields.choice("order_by", orders).flatMap(RecordOrder.init) ?? .id
        query.isDescending = try fields.choice("order_dir", ["asc", "desc"]) != "asc"
        query.filter = try filter(fields, zone)
        return query
    }

    /// The names of the parameters that set a filter.
    static let filterNames = names.filter { !["per_page", "page", "order_by", "order_dir", "before"].contains($0) }

    static func filter(_ fields: AdminQuery, _ zone: DayZone) throws(APIError) -> RecordFilter {
        var filter = RecordFilter()
        for field in UsageField.allCases { filter[field] = try text(fields, field.rawValue) }
        filter.session = try text(fields, "session")
        filter.endUser = try text(fields, "user")
        filter.keywords = try text(fields, "keywords", limitBytes: RecordFilter.maxKeywordBytes)
        filter.outcome = try outcome(fields)
        filter.fromMilliseconds = try start(fields, zone)
        filter.toMilliseconds = try time(fields, "to", zone: zone, isEnd: true)
        if let from = filter.fromMilliseconds, let to = filter.toMilliseconds, from >= to {
            throw .value("to", "must be later than 'from'")
        }
        filter.minDurationMilliseconds = try fields.number("min_duration", 0...1_000_000_000)
        if let given = fields["min_cost"] {
            guard let cost = Cost(dollars: given) else {
                throw .value("min_cost", "must be an amount of dollars such as 0.25")
            }
            filter.minCost = cost
        }
        if let given = fields["before"] {
            guard let id = RecordID(text: given) else { throw .value("before", "must be the id of a record") }
            filter.before = id
        }
        return filter
    }

    private static func text(
        _ fields: AdminQuery,
        _ name: String,
        limitBytes: Int = textLimitBytes
    ) throws(APIError) -> String? {
        guard let text = fields[name] else { return nil }
        guard text.utf8.count <= limitBytes else { throw .value(name, "must have at most \(limitBytes) bytes") }
        return text
    }

    private static let outcomes: KeyValuePairs<String, RecordFilter.Outcome> = [
        "completed": .completed, "failed": .failed, "failures": .failure, "refusals": .refusal,
        "client_errors": .clientError, "budget": .budget,
    ]

    private static func outcome(_ fields: AdminQuery) throws(APIError) -> RecordFilter.Outcome? {
        guard let text = fields["status"] else { return nil }
        if let named = outcomes.first(where: { $0.key == text }) { return named.value }
        guard text.utf8.count == 3, let status = Int(text), (100...599).contains(status) else {
            let words = outcomes.map(\.key).joined(separator: ", ")
            throw .value("status", "must be \(words), running or an HTTP status")
        }
        return .status(status)
    }

    /// The names of spans of time that end now, with their minutes or days. Those of days begin with a day.
    private static let spans = [
        ("15m", 15), ("1h", 60), ("6h", 360), ("24h", 1_440), ("7d", 7), ("30d", 30), ("90d", 90),
    ]

    /// Returns the start of the range in the parameters `last` or `from`, in milliseconds since 1970; nil if both are
    /// missing.
    private static func start(_ fields: AdminQuery, _ zone: DayZone) throws(APIError) -> Int? {
        let last = try fields.choice("last", spans.map(\.0))
        guard let (name, count) = spans.first(where: { $0.0 == last }) else {
            return try time(fields, "from", zone: zone, isEnd: false)
        }
        guard fields["from"] == nil, fields["to"] == nil else {
            throw .value("last", "must not be given with 'from' or 'to'")
        }
        if name.utf8.last == UInt8(ascii: "d") { return zone.startMilliseconds(of: zone.today.adding(days: 1 - count)) }
        return (Timestamp.now() / 60_000 + 1 - count) * 60_000
    }

    /// Returns the time in a parameter, in milliseconds since 1970; nil if the parameter is missing.
    /// - Parameter isEnd: whether a day without a time stands for the end of the day, not its beginning.
    private static func time(
        _ fields: AdminQuery,
        _ name: String,
        zone: DayZone,
        isEnd: Bool
    ) throws(APIError) -> Int? {
        guard let text = fields[name] else { return nil }
        if let day = day(text) { return zone.startMilliseconds(of: isEnd ? day.adding(days: 1) : day) }
        guard let time = DateTime.milliseconds(text) ?? localTime(text, zone) else {
            throw .value(
                name,
                "must be a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z or 2026-01-31T12:00"
            )
        }
        return time
    }

    /// Returns a time of the form `2026-01-31T12:00`, which browsers send, in milliseconds since 1970; nil if the text
    /// has another form.
    private static func localTime(_ text: String, _ zone: DayZone) -> Int? {
        let parts = text.split(separator: "T", omittingEmptySubsequences: false)
        guard text.utf8.count == 16, parts.count == 2, let day = day(String(parts[0])) else { return nil }
        let clock = parts[1].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 2, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]) else { return nil }
        return zone.startMilliseconds(of: day, secondsLater: clock[0] * 3_600 + clock[1] * 60)
    }

    static func day(_ text: String) -> Day? { text.withBytes { Day($0) } }
}
