import Engine
import Shared
import Upstream
import UsageRecords

/// Handles GET /admin/usage: sends the sums of requests, tokens and cost as JSON or CSV.
func showUsage(_ visit: AdminVisit) async throws(APIError) {
    let fields = visit.query
    let isCSV = try fields.choice("format", ["json", "csv"]) == "csv"
    let query = try usageQuery(fields)
    let table = try await visit.usage(query)
    let names = query.dimensions.map(\.rawValue)
    if isCSV { return visit.sendCSV(by: names, table.rows.map { ($0.values, $0.figures) }) }
    let items = table.rows.map { row in
        JSONFragment.row(zip(names, row.values).map { ($0, "\($1)") }, row.figures, isPartial: row.isPartial)
    }
    var more: [(name: String, value: JSONFragment)] = [("sum", .row([], table.sum))]
    if table.isPartial { more.append(("partial", "true")) }
    if table.isCut { more.append(("cut", "true")) }
    visit.send(items, total: items.count, more)
}

private func usageQuery(_ fields: AdminQuery) throws(APIError) -> UsageQuery {
    let all = UsageQuery.Dimension.allCases.map(\.rawValue)
    let words = (fields["by"] ?? "day").split(separator: ",", omittingEmptySubsequences: false).prefix(4)
    let dimensions = words.compactMap { UsageQuery.Dimension(rawValue: String($0)) }
    guard dimensions.count == words.count, (1...3).contains(words.count), Set(dimensions).count == words.count else {
        throw .value("by", "must be one to three of \(all.joined(separator: ", ")), each once, separated by commas")
    }
    func day(_ name: String) throws(APIError) -> Day? {
        guard let text = fields[name] else { return nil }
        guard let day = RecordFields.day(text) else { throw .value(name, "must be a day such as 2026-01-31") }
        return day
    }
    let (from, to) = (try day("from"), try day("to"))
    if let from, let to, from > to { throw .value("to", "must not be earlier than 'from'") }
    return UsageQuery(by: dimensions, from: from, to: to)
}

extension JSONFragment {
    /// Returns one row of the usage table as JSON: `members`, then the numbers of requests and tokens, and the cost.
    static func row(
        _ members: [(name: String, value: JSONFragment)],
        _ figures: UsageFigures,
        isPartial: Bool = false
    ) -> JSONFragment {
        let all = members + [("requests", "\(figures.requests)")] + figures.members
        return "{\(members: isPartial ? all + [("partial", "true")] : all)}"
    }
}

extension AdminVisit {
    /// Sends sums as a file of CSV.
    func sendCSV(by names: [String], _ rows: [(values: [String?], figures: UsageFigures)]) {
        exchange.operatorFields += "Content-Disposition: attachment; filename=\"usage.csv\"\r\n"
        exchange.send(200, type: "text/csv; charset=utf-8", body: ByteBuffer(csv(by: names, rows)))
    }
}

private func csv(by names: [String], _ rows: [(values: [String?], figures: UsageFigures)]) -> String {
    var lines = [(names + UsageFigures.cellNames).joined(separator: ",")]
    for row in rows { lines.append((row.values.map { csvField($0 ?? "") } + row.figures.cells).joined(separator: ",")) }
    return lines.joined(separator: "\r\n") + "\r\n"
}

/// Returns a text as a field of CSV (RFC 4180). A text that begins like a formula gets a single quote in front.
func csvField(_ text: String) -> String {
    let formulas: Set<UInt8> = [61, 43, 45, 64, 9, 13]  // = + - @ tab CR
    // The quote keeps a spreadsheet from running the text as a formula.
    let safe = text.utf8.first.map(formulas.contains) ?? false ? "'\(text)" : text
    let isPlain = safe.utf8.allSatisfy { $0 != 34 && $0 != 44 && $0 != 10 && $0 != 13 }
    return isPlain
        ? safe : "\"\(safe.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
}

/// Handles GET /admin/statistics: sends the tokens of all request records by model.
func showStatistics(_ visit: AdminVisit) async throws(APIError) {
    let table = try await visit.usage(UsageQuery(by: [.model]))
    let rows = table.rows.map { row -> JSONFragment in
        #"""
        {"model":\#(row.values.first ?? nil),"prompt":\#(row.figures.promptTokens),\#
        "completion":\#(row.figures.completionTokens)}
        """#
    }
    visit.send(data: #"{"count":\#(rows.count),"rows":\#(rows)}"#)
}

/// Handles GET /admin/statistics_model_day: sends each model's tokens per day of the last week as a line chart.
func showModelDays(_ visit: AdminVisit) async throws(APIError) {
    let today = try recordReader(visit).zone.today
    let days = (-6...0).map { today.adding(days: $0).text }
    let query = UsageQuery(by: [.day, .model], from: today.adding(days: -6), to: today)
    let table = try await visit.usage(query)
    var models: [String] = []
    var sums: [String: [UsageFigures]] = [:]
    for row in table.rows {
        guard let day = (row.values.first ?? nil).flatMap(days.firstIndex) else { continue }
        let model = (row.values.last ?? nil) ?? ""
        if sums[model] == nil { models.append(model) }
        sums[model, default: days.map { _ in UsageFigures() }][day] = row.figures
    }
    let series = models.flatMap { model -> [JSONFragment] in
        let figures = sums[model] ?? []
        return [
            #"{"name":\#("\(model) prompt"),"type":"line","data":\#(figures.map(\.promptTokens))}"#,
            #"{"name":\#("\(model) completion"),"type":"line","data":\#(figures.map(\.completionTokens))}"#,
        ]
    }
    visit.send(
        data: #"""
            {"xAxis":{"type":"category","data":\#(days)},"yAxis":{"type":"value"},"series":\#(series),"legend":{},\#
            "tooltip":{"trigger":"axis"}}
            """#
    )
}
