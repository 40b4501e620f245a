import Engine
import Shared

/// The query parameters with which an operator searches request records.
enum RecordFields {
    static let names = [
        "keywords", "per_page", "page", "order_by", "order_dir", "caller", "model", "provider", "endpoint", "session",
        "status", "from", "to", "min_cost", "min_duration", "before",
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
        filter.caller = try text(fields, "caller")
        filter.model = try text(fields, "model")
        filter.provider = try text(fields, "provider")
        filter.endpoint = try text(fields, "endpoint")
        filter.session = try text(fields, "session")
        filter.keywords = try text(fields, "keywords", limitBytes: RecordFilter.maxKeywordBytes)
        filter.outcome = try outcome(fields)
        filter.fromMilliseconds = try time(fields, "from", zone: zone, isEnd: false)
        filter.toMilliseconds = try time(fields, "to", zone: zone, isEnd: true)
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

    private static func outcome(_ fields: AdminQuery) throws(APIError) -> RecordFilter.Outcome? {
        switch fields["status"] {
        case nil: return nil
        case "completed": return .completed
        case "failed": return .failed
        case "failures": return .failure
        case "refusals": return .status(429)
        case "client_errors": return .clientError
        case let text?:
            guard text.utf8.count == 3, let status = Int(text), (100...599).contains(status) else {
                throw .value(
                    "status",
                    "must be completed, failed, failures, refusals, client_errors, running or an HTTP status"
                )
            }
            return .status(status)
        }
    }

    /// Returns the time in a parameter, in milliseconds since 1970; nil if the parameter is missing.
    ///
    /// - Parameter isEnd: whether a day without a time stands for the end of the day, not its beginning.
    private static func time(
        _ fields: AdminQuery,
        _ name: String,
        zone: DayZone,
        isEnd: Bool
    ) throws(APIError) -> Int? {
        guard let text = fields[name] else { return nil }
        if let day = day(text) { return zone.startMilliseconds(of: isEnd ? day.adding(days: 1) : day) }
        guard let time = OperatorTime.milliseconds(text) else {
            throw .value(name, "must be a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z")
        }
        return time
    }

    static func day(_ text: String) -> Day? { text.withBytes { Day($0) } }
}

/// A parser for times in the format of RFC 3339.
enum OperatorTime {
    /// Returns a time such as `2026-01-31T12:00:00.5+01:00` in milliseconds since 1970; nil if the text is invalid.
    static func milliseconds(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard (20...40).contains(bytes.count), bytes[10] == 84 || bytes[10] == 116,
            let day = RecordFields.day(String(decoding: bytes[..<10], as: UTF8.self)),
            let second = secondOfDay(bytes[11..<19], hasSeconds: true)
        else { return nil }
        var rest = bytes[19...]
        var milliseconds = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            for position in 0..<3 {
                milliseconds =
                    milliseconds * 10 + (position < digits.count ? Int(digits[digits.startIndex + position] - 48) : 0)
            }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = offset(rest) else { return nil }
        return (day.secondsSince1970 + second - offset) * 1_000 + milliseconds
    }

    /// Returns a UTC offset, such as `+01:00`, in seconds; nil if the offset is invalid.
    private static func offset(_ bytes: ArraySlice<UInt8>) -> Int? {
        if bytes.count == 1, bytes.first == 90 || bytes.first == 122 { return 0 }
        // A space counts as a plus, because a plus in a URL's query means a space.
        guard let sign = bytes.first, [43, 45, 32].contains(sign),
            let seconds = secondOfDay(bytes.dropFirst(), hasSeconds: false)
        else { return nil }
        return sign == 45 ? -seconds : seconds
    }

    /// Returns a time such as `12:00:00` or `12:00` in seconds since midnight; nil if invalid.
    private static func secondOfDay(_ bytes: ArraySlice<UInt8>, hasSeconds: Bool) -> Int? {
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.count == 2 ? Int(String(decoding: $0, as: UTF8.self)) : nil }
        guard parts.count == (hasSeconds ? 3 : 2), numbers.count == parts.count,
            (0..<24).contains(numbers[0]), (0..<60).contains(numbers[1]), !hasSeconds || (0...60).contains(numbers[2])
        else { return nil }
        return numbers[0] * 3_600 + numbers[1] * 60 + (hasSeconds ? numbers[2] : 0)
    }
}
