import Engine

extension Price {
    /// Parses prices by model, such as `fast=0.0025/0.01` and `large=2.50/10 per million over 272000 5/15`.
    static func byModel(_ items: [String]) throws(Mistake) -> [String: Price] {
        var prices: [String: Price] = [:]
        for item in items {
            guard let end = item.firstIndex(of: "="), case let name = String(item[..<end].trimmed), !name.isEmpty,
                name.utf8.allSatisfy({ $0 > 32 && $0 != 127 })
            else { throw Mistake("\"\(item.prefix(40))\" is not of the form model=price") }
            let price: Price
            do throws(Mistake) {
                price = try Price(parsing: String(item[item.index(after: end)...]))
            } catch {
                throw Mistake(error.reason.map { "in the price of \(name.prefix(40)): \($0)" })
            }
            guard prices.updateValue(price, forKey: name) == nil else {
                throw Mistake("the model \(name.prefix(40)) is listed twice")
            }
        }
        guard !prices.isEmpty else { throw Mistake() }
        return prices
    }
}

extension ToolFees {
    /// Parses the prices of uses of hosted tools, such as `web_search=0.01`; nil if they are invalid.
    init?(_ items: [String]) {
        for item in items {
            guard let end = item.firstIndex(of: "="), let tool = HostedTool(name: item[..<end].trimmed),
                let price = Cost(dollars: String(item[item.index(after: end)...].trimmed)), self[tool] == 0
            else { return nil }
            self[tool] = price.millionths
        }
        if isEmpty { return nil }
    }
}
