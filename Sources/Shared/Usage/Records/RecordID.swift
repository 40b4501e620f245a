package import Engine

/// The id of a stored record. The ids of one store are ordered by age, and no id is used twice.
package enum RecordID: Sendable, Hashable {
    /// A record in SQLite or in memory. JavaScript numbers represent this id exactly until the year 2039.
    case number(Int)
    /// A record in PostgreSQL, where several processes write: the time in milliseconds since 1970, the number of the
    /// process, and the number of the record in that process.
    case triple(time: Int, process: Int, number: Int)

    private static let textLimitBytes = 64

    /// Parses an id in the form of `text`; nil if the text is not an id.
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

    /// The id in a URL: a number, or for PostgreSQL three numbers joined by `-`.
    package var text: String {
        switch self {
        case .number(let number): "\(number)"
        case .triple(let time, let process, let number): "\(time)-\(process)-\(number)"
        }
    }
}

extension RecordID: JSONWritable {
    /// Appends the id as a JSON number, or for PostgreSQL as a JSON string.
    package func appendJSON(to out: inout ByteBuffer) {
        switch self {
        case .number(let number): number.appendJSON(to: &out)
        case .triple: text.appendJSON(to: &out)
        }
    }
}
