/// A table for a terminal: columns two spaces apart, the heading bold where there are colours.
struct TextTable {
    let heading: [String]
    let rows: [[String]]
    /// The last lines, which are bold like the heading.
    var total: [[String]] = []
    /// Columns of numbers, which are written up to their right edge.
    var isRight: (Int) -> Bool = { _ in false }

    func text(isColoured: Bool) -> String {
        let all = [heading] + rows + total
        let widths = heading.indices.map { column in all.map { Self.width($0[column]) }.max() ?? 0 }
        func line(_ cells: [String], isBold: Bool = false) -> String {
            var line = ""
            for (column, cell) in cells.enumerated() {
                let room = String(repeating: " ", count: widths[column] - Self.width(cell))
                line += (isRight(column) ? room + cell : cell + room) + "  "
            }
            while line.last == " " { line.removeLast() }
            return isBold && isColoured ? "\u{1b}[1m\(line)\u{1b}[0m\n" : line + "\n"
        }
        return line(heading, isBold: true) + rows.map { line($0) }.joined()
            + total.map { line($0, isBold: true) }.joined()
    }

    private static func width(_ cell: String) -> Int { cell.unicodeScalars.count }
}
