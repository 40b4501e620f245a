import Engine
import Shared

/// The sums of usage records, as an operator reads them.
struct UsageReport {
    static let options = "--by key|model|provider|day, --days N"
    private static let standardDays = 30
    private static let mostDays = 36_500
    private static let nameLength = 60

    private let question: UsageQuestion
    private let summary: UsageSummary

    /// The question that the words behind the command ask; nil: not understood.
    static func asked(_ words: ArraySlice<String>) -> (question: UsageQuestion, isJSON: Bool)? {
        var (group, days, isJSON) = (nil as UsageQuestion.Group?, nil as Int?, false)
        var rest = words
        while let word = rest.popFirst() {
            switch word {
            case "--json" where !isJSON: isJSON = true
            case "--by" where group == nil:
                guard let named = rest.popFirst().flatMap(UsageQuestion.Group.init) else { return nil }
                group = named
            case "--days" where days == nil:
                guard let number = rest.popFirst().flatMap({ Int($0) }), (1...mostDays).contains(number) else {
                    return nil
                }
                days = number
            default: return nil
            }
        }
        return (UsageQuestion(by: group ?? .model, days: days ?? standardDays), isJSON)
    }

    /// Reads the records. Blocks.
    init(_ question: UsageQuestion, _ settings: Settings) throws(UsageFailure) {
        self.question = question
        if let database = settings.usageDatabase {
            summary = try UsageReading.summary(of: database, question) ?? UsageSummary()
        } else if let file = settings.usageFile {
            guard let path = file.path else {
                throw UsageFailure("USAGE_LOG_FILE=- keeps no records here; name a file, or set DATA_DIR")
            }
            summary = try UsageFileReading.summary(path, files: file.files, question) ?? UsageSummary()
        } else {
            throw UsageFailure("no records are kept; set DATA_DIR, USAGE_DATABASE_URL or USAGE_LOG_FILE")
        }
    }

    func text(isColoured: Bool) -> String {
        let span = "from \(question.first.text) to \(Day.today.text), UTC"
        guard summary.total.requests > 0 else { return "no records \(span)\n\(remarks)" }
        let counted = question.isOfCalls ? "CALLS" : "REQUESTS"
        var table = TextTable(
            question.group.rawValue.uppercased(),
            counted,
            "FAILED",
            "PROMPT TOKENS",
            "COMPLETION TOKENS",
            "USD"
        )
        table.rows = summary.rows.map { Self.cells($0.name.map(Self.shown) ?? "-", $0.figures) }
        table.rows.append(Self.cells("total", summary.total))
        table.rightAligned = [1, 2, 3, 4]
        let text = table.text(isColoured: isColoured, colours: [summary.rows.count: 1])
        return "\(text)\(span)\n\(remarks)"
    }

    private var remarks: String {
        var text = ""
        if summary.isCut { text += "Only the first groups are listed; the total has all.\n" }
        if summary.badLines > 0 { text += "Lines that are no records: \(summary.badLines).\n" }
        return text
    }

    private static func cells(_ name: String, _ figures: UsageSummary.Figures) -> [String] {
        [
            name, "\(figures.requests)", "\(figures.failed)", "\(figures.promptTokens)", "\(figures.completionTokens)",
            figures.dollars ?? "",
        ]
    }

    /// Callers may have sent any name: nothing of it does something to a terminal.
    private static func shown(_ name: String) -> String {
        let scalars = name.beginning(ofBytes: nameLength * 4).unicodeScalars.prefix(nameLength)
        return String(String.UnicodeScalarView(scalars.map { $0.properties.isVisible ? $0 : "?" }))
    }

    var json: String {
        var body = ByteBuffer()
        body.append(#"{"by":"#)
        body.append(json: question.group.rawValue)
        body.append(#","from":"#)
        body.append(json: question.first.text)
        body.append(#","to":"#)
        body.append(json: Day.today.text)
        body.append(#","rows":["#)
        for (place, row) in summary.rows.enumerated() {
            body.append(place == 0 ? "{" : ",{")
            body.append(json: question.group.rawValue)
            body.append(":")
            body.append(jsonOrNull: row.name)
            body.append(",")
            append(row.figures, to: &body)
        }
        body.append(#"],"total":{"#)
        append(summary.total, to: &body)
        body.append(summary.isCut ? #","is_cut":true,"bad_lines":"# : #","is_cut":false,"bad_lines":"#)
        body.append(decimal: summary.badLines)
        body.append("}\n")
        return body.text
    }

    /// The members of an object, and its end.
    private func append(_ figures: UsageSummary.Figures, to body: inout ByteBuffer) {
        body.append(question.isOfCalls ? #""calls":"# : #""requests":"#)
        body.append(decimal: figures.requests)
        body.append(#","failed":"#)
        body.append(decimal: figures.failed)
        body.append(#","prompt_tokens":"#)
        body.append(decimal: figures.promptTokens)
        body.append(#","completion_tokens":"#)
        body.append(decimal: figures.completionTokens)
        body.append(#","cost":"#)
        body.append(figures.dollars ?? "null")
        body.append("}")
    }
}

extension Unicode.Scalar.Properties {
    /// It takes a place of its own on a terminal, and moves nothing.
    fileprivate var isVisible: Bool {
        switch generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
