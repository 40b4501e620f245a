import Engine
import Shared

/// The values of several table rows, as one PostgreSQL array for each column: `{1,NULL,"a \"text\""}`.
struct UsageArrays: UsageCells {
    private var columns: [[UInt8]]
    private var next = 0
    private let isPlain: Bool
    private let textLimitBytes: Int

    /// Creates empty arrays. If `isPlain`, all bytes outside ASCII are replaced by `?`.
    init(columns: Int, isPlain: Bool, textLimitBytes: Int = UsageRecord.textBound) {
        self.columns = Array(repeating: [UInt8(ascii: "{")], count: columns)
        self.isPlain = isPlain
        self.textLimitBytes = textLimitBytes
    }

    /// The size of all values, in bytes.
    var bytes: Int { columns.reduce(0) { $0 + $1.count - 1 } }

    mutating func removeAll() { for index in columns.indices { columns[index] = [UInt8(ascii: "{")] } }

    /// Begins a row. The values that are added next belong to this row.
    mutating func begin() { next = 0 }

    mutating func add(_ number: Int?) { add(plain: number.map { "\($0)" } ?? "NULL") }

    mutating func add(_ flag: Bool) { add(plain: flag ? "t" : "f") }

    mutating func add(_ text: String?) {
        guard let text else { return add(plain: "NULL") }
        separate()
        quote(text)
        next += 1
    }

    private mutating func add(plain text: String) {
        separate()
        columns[next].append(contentsOf: text.utf8)
        next += 1
    }

    private mutating func separate() {
        if columns[next].count > 1 { columns[next].append(UInt8(ascii: ",")) }
    }

    private mutating func quote(_ text: String) {
        columns[next].append(UInt8(ascii: "\""))
        for byte in text.beginning(ofBytes: textLimitBytes).utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { columns[next].append(UInt8(ascii: "\\")) }
            columns[next].append(byte == 0 || isPlain && byte > 127 ? UInt8(ascii: "?") : byte)
        }
        columns[next].append(UInt8(ascii: "\""))
    }

    func end(in values: PostgresValues) {
        for column in columns {
            let start = values.bytes.count
            column.withUnsafeBytes { values.bytes.append($0) }
            values.bytes.append(UInt8(ascii: "}"))
            values.end(of: start)
        }
    }
}
