package import Engine
import Shared

/// The id of a stored usage record. In one store, newer records have higher ids, and no id is used twice.
package enum RecordID: Sendable, Hashable {
    /// The id of a record in SQLite or in memory. JavaScript numbers can represent it exactly until the year 2039.
    case number(Int)
    /// The id of a record in PostgreSQL: its milliseconds since 1970, its process's random id, and its number in the
    /// process.
    case triple(time: Int, process: Int, number: Int)

    private static let textLimitBytes = 64

    /// Parses an id such as `12` or `12-3-4`. Returns nil if the text is not an id.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard text.count <= Self.textLimitBytes else { return nil }
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map { part in
            part.allSatisfy { (48...57).contains($0) } ? Int(String(decoding: part, as: UTF8.self)) : nil
        }
        switch (parts.count, parts.first ?? nil) {
        case (1, let number?): self = .number(number)
        case (3, let time?):
            guard let process = parts[1], let number = parts[2] else { return nil }
            self = .triple(time: time, process: process, number: number)
        default: return nil
        }
    }

    /// The id as in URLs: a number, or in PostgreSQL three numbers joined by `-`.
    package var text: String {
        switch self {
        case .number(let number): "\(number)"
        case .triple(let time, let process, let number): "\(time)-\(process)-\(number)"
        }
    }
}

extension RecordID: JSONWritable {
    /// Appends the id as a JSON number, or in PostgreSQL as a JSON string such as `"12-3-4"`.
    package func appendJSON(to out: inout ByteBuffer) {
        switch self {
        case .number(let number): number.appendJSON(to: &out)
        case .triple: text.appendJSON(to: &out)
        }
    }
}
