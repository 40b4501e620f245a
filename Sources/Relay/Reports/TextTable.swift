import Glibc

/// A table for a terminal. Each column is as wide as its longest cell.
struct TextTable {
    let heading: [String]
    var rows: [[String]] = []
    /// The indexes of the columns that are right-aligned, such as columns of numbers.
    var rightAligned: Set<Int> = []

    init(_ heading: [String]) { self.heading = heading }

    /// Whether the table may use colours: standard output is a terminal and `NO_COLOR` is not set
    /// (https://no-color.org).
    static var isColoured: Bool {
        let value = getenv("NO_COLOR").map { String(cString: $0) } ?? ""
        return value.isEmpty && isatty(1) == 1
    }

    /// Returns the table as text.
    /// - Parameter colours: the ECMA-48 colour codes of coloured rows, by row index.
    func text(isColoured: Bool, colours: [Int: Int] = [:]) -> String {
        let widths = heading.indices.map { column in ([heading] + rows).map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String], _ colour: Int?) -> String {
            var line = ""
            for (column, cell) in cells.enumerated() {
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                line += (rightAligned.contains(column) ? gap + cell : cell + gap) + "  "
            }
            while line.last == " " { line.removeLast() }
            guard isColoured, let colour else { return line + "\n" }
            return "\u{1b}[\(colour)m\(line)\u{1b}[0m\n"
        }
        return line(heading, 1) + rows.enumerated().map { line($1, colours[$0]) }.joined()
    }
}
