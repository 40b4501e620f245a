/// A row of a database table. Its columns are accessed by position.
protocol UsageRow {
    func number(at position: Int) -> Int?
    func flag(at position: Int) -> Bool
    func text(at position: Int) -> String?
}

/// A receiver of the values of a database row, in the order of the columns.
protocol UsageCells {
    mutating func add(_ number: Int?)
    mutating func add(_ flag: Bool)
    /// Adds a text of any length, or NULL if the text is nil.
    mutating func add(_ text: String?)
}
