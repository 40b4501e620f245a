/// The possible values of one label. Data from callers never adds a new one.
package struct LabelNames: Sendable {
    /// The values by number. The first is `other`, for all unknown values.
    package let names: [String]
    private let numbers: [String: Int]

    package static let other = 0
    /// The largest number of values. Further ones count as `other`.
    package static let limit = 300

    package init(_ known: [String]) {
        var names = ["other"]
        var numbers = ["other": 0]
        for name in known where numbers[name] == nil && names.count < Self.limit {
            numbers[name] = names.count
            names.append(name)
        }
        self.names = names
        self.numbers = numbers
    }

    /// Returns these values and further ones, as far as there is room. Existing values keep their numbers.
    func adding(_ known: LabelNames) -> LabelNames { LabelNames(Array(names.dropFirst()) + known.names) }

    package func number(_ name: String) -> Int { numbers[name] ?? Self.other }
}

/// The last looked-up value and its number, since the next value is usually the same.
struct LastLabel {
    private var name = "other"
    private var number = LabelNames.other

    mutating func number(_ name: String, in names: borrowing LabelNames) -> Int {
        if name == self.name { return number }
        self.name = name
        number = names.number(name)
        return number
    }
}
