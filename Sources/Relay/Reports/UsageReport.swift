import Engine
import Shared
import UsageRecords

/// A report that sums up usage records by caller, group, model, provider, day, session, end user or cause, for the command `usage`.
struct UsageReport: Report {
    static let options = "--by caller|group|model|provider|day|session|user|cause, --days N"
    private static let standardDays = 30
    private static let maxDays = 36_500
    private static let nameLength = 60

    private let question: UsageReportQuery
    private let summary: UsageSummary

    /// Makes the question from the values of `--by` and `--days`, or their defaults; nil if a value is invalid.
    static func question(by group: String?, days: String?) -> UsageReportQuery? {
        let named = UsageReportQuery.Group(rawValue: group ?? "model")
        let days = days.map { Int($0) } ?? standardDays
        guard let named, let days, (1...maxDays).contains(days) else { return nil }
        return UsageReportQuery(by: named, days: days)
    }

    /// Reads the usage records from the database or file of the settings, and sums them up. Blocks.
    init(_ question: UsageReportQuery, _ settings: Settings) throws(UsageFailure) {
        let groups = settings.keys.filter { !$0.groups.isEmpty }.map { ($0.name, $0.groups.map(\.name)) }
        let question = UsageReportQuery(
            by: question.group,
            days: question.days,
            groups: Dictionary(uniqueKeysWithValues: groups)
        )
        self.question = question
        if let database = settings.usageDatabase {
            summary = try UsageQueryRunner.summary(of: database, question) ?? UsageSummary(question, in: database.zone)
        } else if let file = settings.usageFile {
            guard let path = file.path else {
                throw UsageFailure(
                    "with USAGE_LOG_FILE=- there are no stored records to read; name a file, or set DATA_DIR"
                )
            }
            summary =
                try UsageFileReading.summary(path, files: file.files, question) ?? UsageSummary(question, in: .utc)
        } else {
            throw UsageFailure("no usage records are stored; set DATA_DIR, USAGE_DATABASE_URL or USAGE_LOG_FILE")
        }
    }

    func text(isColoured: Bool) -> String {
        let span = "from \(summary.first.text) to \(summary.last.text), \(summary.zone)"
        guard summary.total.requests > 0 else { return "no records \(span)\n\(remarks)" }
        let counted = question.isOfCalls ? "CALLS" : "REQUESTS"
        let figures = [counted, "FAILED", "PROMPT TOKENS", "COMPLETION TOKENS", "USD"]
        let names = [question.group.rawValue.uppercased()] + (question.hasCallers ? ["CALLER"] : [])
        var table = TextTable(names + figures)
        table.rows = summary.rows.map { row in
            [row.name.map(Self.shown) ?? "-"] + (question.hasCallers ? [row.caller.map(Self.shown) ?? "-"] : [])
                + Self.cells(row.figures)
        }
        table.rows.append(["total"] + (question.hasCallers ? [""] : []) + Self.cells(summary.total))
        table.rightAligned = Set(names.count..<names.count + 4)
        let text = table.text(isColoured: isColoured, colours: [summary.rows.count: 1])
        return "\(text)\(span)\n\(remarks)"
    }

    private var remarks: String {
        var text = ""
        if summary.isCut { text += "Only the first groups are listed; the total includes all of them.\n" }
        if summary.total.isCostPartial {
            text += "\(summary.total.unpriced) of \(summary.total.requests) without a price.\n"
        }
        if summary.badLines > 0 { text += "Lines that are not records: \(summary.badLines).\n" }
        return text
    }

    private static func cells(_ figures: UsageFigures) -> [String] {
        [
            "\(figures.requests)", "\(figures.failed)", "\(figures.promptTokens)", "\(figures.completionTokens)",
            figures.costText,
        ]
    }

    /// Returns a name as the table shows it: at most 60 characters, with a `?` for each invisible character.
    private static func shown(_ name: String) -> String {
        let scalars = name.beginning(ofBytes: nameLength * 4).unicodeScalars.prefix(nameLength)
        return String(String.UnicodeScalarView(scalars.map { $0.properties.isVisible ? $0 : "?" }))
    }

    var json: JSONFragment {
        let group = question.group.rawValue
        let rows = summary.rows.map { row -> JSONFragment in
            let names = [(name: group, value: "\(row.name)" as JSONFragment)]
            let caller = question.hasCallers ? [(name: "caller", value: "\(row.caller)" as JSONFragment)] : []
            return #"{\#(members: names + caller + members(of: row.figures))}"#
        }
        return #"""
            {"by":\#(group),"from":\#(summary.first.text),"to":\#(summary.last.text),"rows":\#(rows),\#
            "total":{\#(members: members(of: summary.total))},"is_cut":\#(summary.isCut),"bad_lines":\#(summary.badLines)}
            """#
    }

    private func members(of figures: UsageFigures) -> [(name: String, value: JSONFragment)] {
        [(name: question.isOfCalls ? "calls" : "requests", value: "\(figures.requests)")] + figures.members
    }
}

extension Unicode.Scalar.Properties {
    /// Whether the character is visible on a terminal; false for characters that control the terminal.
    fileprivate var isVisible: Bool {
        switch generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
