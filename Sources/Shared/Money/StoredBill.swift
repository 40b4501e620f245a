package import Engine

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
            let size = line.size == 1 ? "" : " per \(line.size)"
            lines.append("\(line.amount) \(line.unit.name) at \(line.price.exactText)\(size)")
        }
        if let tier = usage.serviceTier, !knows(tier) { lines.append("\(unknownTier)\(tier.rawValue)") }
        return isKnown ? lines.joined(separator: "; ") : nil
    }
}

private let unknownTier = "at the plain price, because none is known of "

extension BillSource {
    /// Returns whether the service tier, or some of these uses of hosted tools, have no price, so that the known cost
    /// lacks them.
    package func lacksPrices(of uses: ToolUses) -> Bool {
        guard let bill else { return false }
        if bill.contains(unknownTier) { return true }
        if uses.isEmpty || bill.contains("\(BillLine.Unit.reportedCost.name) at") { return false }
        return HostedTool.allCases.contains { uses[$0] > 0 && !bill.contains(" \($0.name) at") }
    }

    /// A line of the bill: an amount of a unit, the price of one unit (or of several, `per` in the unit), and the
    /// product.
    package typealias Line = (amount: Int, unit: String, price: Cost, product: Cost)

    /// The lines of the bill; empty if there is no bill.
    package var lines: [Line] {
        (bill ?? "").split(separator: "; ").compactMap { text in
            guard let end = text.firstIndex(of: " "), let amount = Int(text[..<end]),
                case let parts = text[end...].dropFirst().split(separator: " at "), parts.count == 2,
                case let numbers = parts[1].split(separator: " per "), let number = numbers.first,
                let price = Int(dollars: number, decimals: 12)
            else { return nil }
            let size = numbers.count > 1 ? max(1, Int(numbers[1]) ?? 1) : 1
            let unit = size == 1 ? String(parts[0]) : "\(parts[0]) (per \(size))"
            return (amount, unit, Cost(picodollars: price), Cost(amount, at: price, per: size))
        }
    }
}

extension JSONFragment {
    package init(line: BillSource.Line) {
        self = #"""
            {"unit":\#(line.unit),"amount":\#(line.amount),"price":\#(line.price.number),"product":\#(line.product.number)}
            """#
    }
}
