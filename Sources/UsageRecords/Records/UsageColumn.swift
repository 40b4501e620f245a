package import Engine
import Shared

/// A column of usage records: where its value is in a record, how databases store it, and who else shows it.
struct UsageColumn: Sendable {
    /// The functions that read the value of a record, and those that set it to what a database has.
    enum Value: Sendable {
        case number(@Sendable (UsageRecord) -> Int?, @Sendable (inout UsageRecord, Int?) -> Void)
        case flag(@Sendable (UsageRecord) -> Bool, @Sendable (inout UsageRecord, Bool) -> Void)
        case text(@Sendable (UsageRecord) -> String?, @Sendable (inout UsageRecord, String?) -> Void)
    }

    struct Traits: OptionSet, Sendable {
        let rawValue: Int

        /// Only requests have a value.
        static let ofRequest = Traits(rawValue: 1)
        /// Only upstream calls have a value.
        static let ofCall = Traits(rawValue: 2)
        /// The value is that of a request's only call, in the row of its request in SQLite.
        static let onlyCall = Traits(rawValue: 4)
        /// The value follows from others. No database stores it.
        static let derived = Traits(rawValue: 8)
        /// Sums are computed from the value.
        static let summed = Traits(rawValue: 16)
        /// The record holds the memory of the text.
        static let held = Traits(rawValue: 32)
        /// Lines of JSON do not show the value.
        static let unwritten = Traits(rawValue: 64)
        /// Lines of JSON leave out a value that is missing, zero or false.
        static let sparse = Traits(rawValue: 128)
        /// The operator's API shows the value by its name.
        static let listed = Traits(rawValue: 256)
    }

    let name: String
    let postgresType: String
    let traits: Traits
    let value: Value
    /// The name of the value in JSON.
    private(set) var member: String
    /// The value in lines of JSON, if it is another one; nil to leave it out.
    private var json: (@Sendable (UsageRecord) -> JSONFragment?)?
    /// The number of the column's step among those that add a column, from 1; nil if its step is written by hand.
    private(set) var addition: Int?

    /// - Parameter type: the type in PostgreSQL, if it is not that of all such values.
    init(_ name: String, _ value: Value, _ traits: Traits = [], type: String? = nil) {
        (self.name, self.value, self.traits, member) = (name, value, traits, name)
        let usual =
            switch value {
            case .number: "bigint"
            case .flag: "boolean"
            case .text: "text"
            }
        postgresType = type ?? usual
    }

    /// Returns the column with another value in lines of JSON.
    func written(_ json: @escaping @Sendable (UsageRecord) -> JSONFragment?) -> UsageColumn {
        var column = self
        column.json = json
        return column
    }

    /// Returns the column with a step of its own, after those that are written by hand.
    /// - Parameters:
    ///   - addition: the number of the step, from 1. It never changes.
    ///   - member: the name of the value in JSON, if it is not that of the column.
    func added(as addition: Int, member: String? = nil) -> UsageColumn {
        var column = self
        (column.addition, column.member) = (addition, member ?? name)
        return column
    }

    /// The columns with steps of their own, in the order of their steps.
    static let added = stored.filter { $0.addition != nil }.sorted { $0.addition ?? 0 < $1.addition ?? 0 }

    /// The columns in both databases.
    static let stored = UsageRecord.columns.filter { $0.traits.isDisjoint(with: [.derived, .onlyCall]) }
    /// The columns in SQLite, where a request and its only call can share a row.
    static let inSQLite = UsageRecord.columns.filter { !$0.traits.contains(.derived) }
    static let summedInSQLite = inSQLite.filter { $0.traits.contains(.summed) }
    static let written = UsageRecord.columns.filter { !$0.traits.contains(.unwritten) }
    static let ofRequest = UsageRecord.columns.filter { $0.traits.contains(.ofRequest) }
    fileprivate static let held = UsageRecord.columns.filter { $0.traits.contains(.held) }
    fileprivate static let listed = UsageRecord.columns.filter { $0.traits.contains(.listed) }

    /// Sets the value of a record to that of a database row.
    fileprivate func read(_ row: some UsageRow, at index: Int, into record: inout UsageRecord) {
        switch value {
        case .number(_, let set): set(&record, row.number(at: index))
        case .flag(_, let set): set(&record, row.flag(at: index))
        case .text(_, let set): set(&record, row.text(at: index))
        }
    }

    func clear(_ record: inout UsageRecord) {
        switch value {
        case .number(_, let set): set(&record, nil)
        case .flag(_, let set): set(&record, false)
        case .text(_, let set): set(&record, nil)
        }
    }

    /// Appends the value to a line of JSON, after a comma and the name, unless the line leaves it out.
    func append(_ record: UsageRecord, to out: inout ByteBuffer) {
        if traits.contains(record.isOfRequest ? .ofCall : .ofRequest) { return }
        let isSparse = traits.contains(.sparse)
        guard let shown = json.map({ $0(record) }) ?? fragment(record, isSparse: isSparse) else { return }
        out.append(",\"\(member)\":")
        out.json(shown)
    }

    /// Returns the value as JSON; nil if it is missing, zero or false, and left out then.
    fileprivate func fragment(_ record: UsageRecord, isSparse: Bool) -> JSONFragment? {
        switch value {
        case .number(let get, _): isSparse && get(record) ?? 0 == 0 ? nil : "\(get(record))"
        case .flag(let get, _): isSparse && !get(record) ? nil : "\(get(record))"
        case .text(let get, _): isSparse && get(record) == nil ? nil : "\(get(record))"
        }
    }
}

extension Sequence<UsageColumn> {
    var names: String { map(\.name).joined(separator: ",") }

    /// Returns the record in a row of a database that has these columns, beginning at index `first`.
    func record(_ row: some UsageRow, at first: Int = 0) -> UsageRecord {
        var record = UsageRecord(at: 0, .request, requestID: "", endpoint: nil, caller: nil, model: nil)
        for (index, column) in enumerated() { column.read(row, at: first + index, into: &record) }
        return record
    }

    /// Writes the values of a record in the order of the columns. Token numbers above a maximum are reduced to it.
    func write(_ record: UsageRecord, to cells: inout some UsageCells) {
        for column in self {
            switch column.value {
            case .number(let get, _): cells.add(get(record))
            case .flag(let get, _): cells.add(get(record))
            case .text(let get, _): cells.add(get(record))
            }
        }
    }
}

extension UsageRecord {
    /// The largest length of a stored text, in bytes. Longer texts are cut.
    static let textBound = 1_000

    /// The members of the operator's API that have the names of their columns.
    package var listed: [(name: String, value: JSONFragment)] {
        UsageColumn.listed.map { ($0.member, $0.fragment(self, isSparse: false) ?? "null") }
    }

    /// The memory of the texts that are stored outside the record, in bytes. The names of endpoints and providers
    /// belong to the settings.
    var textBytes: Int {
        var sum = 0
        for column in UsageColumn.held {
            if case .text(let get, _) = column.value, let count = get(self)?.utf8.count, count > 15 {
                sum += count + 32
            }
        }
        return sum
    }
}

/// A row of a database table. Its columns are accessed by index.
protocol UsageRow {
    func number(at index: Int) -> Int?
    func flag(at index: Int) -> Bool
    func text(at index: Int) -> String?
}

/// A receiver of the values of a database row, in the order of the columns.
protocol UsageCells {
    mutating func add(_ number: Int?)
    mutating func add(_ flag: Bool)
    /// Adds a text of any length, or NULL if the text is nil.
    mutating func add(_ text: String?)
}
