/// Something that has the bill of an upstream call.
package protocol BillSource: AnyObject, Sendable {
    /// The lines of the bill, such as `1000 prompt at 0.0000025; 500 completion at 0.00001`; nil if the cost is unknown.
    var bill: String? { get }
}

/// A bill that was read from a usage record.
package final class StoredBill: BillSource {
    package let bill: String?

    package init(_ text: String) { bill = text }
}

extension Price {
    /// Returns the lines of a call's bill as text; nil if the cost is unknown.
    package func bill(_ usage: Usage, credits: Int?) -> String? {
        var lines: [String] = []
        let isKnown = forEachLine(of: usage, credits: credits) { line in
            lines.append("\(line.amount) \(line.unit.name) at \(line.price.exactText)")
        }
        return isKnown ? lines.joined(separator: "; ") : nil
    }
}

extension BillSource {
    /// A line of the bill: an amount of a unit, the price of one unit, and the product.
    package typealias Line = (amount: Int, unit: Substring, price: Cost, product: Cost)

    /// The lines of the bill; empty if there is no bill.
    package var lines: [Line] {
        (bill ?? "").split(separator: "; ").compactMap { text in
            guard let end = text.firstIndex(of: " "), let amount = Int(text[..<end]),
                case let parts = text[end...].dropFirst().split(separator: " at "), parts.count == 2,
                let price = Int(dollars: parts[1], decimals: 12)
            else { return nil }
            return (amount, parts[0], Cost(millionths: price), Cost(amount, at: price))
        }
    }
}
