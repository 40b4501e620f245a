/// The possible values of one metrics label, each with a number: its index in `names`. Names that callers send never
/// add a value.
package struct LabelNames: Sendable {
    /// The values of the label. A value's number is its index here. The first value, `other`, stands for all unknown
    /// values.
    package let names: [String]
    private let numbers: [String: Int]

    package static let other = 0
    /// The largest number of values of a label. More values count as `other`.
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

    /// Returns these values, followed by further values from `known`, at most `limit` in total. These values keep their
    /// numbers.
    func adding(_ known: LabelNames) -> LabelNames { LabelNames(Array(names.dropFirst()) + known.names) }

    package func number(_ name: String) -> Int { numbers[name] ?? Self.other }
}

/// The label value that was looked up last, and its index in `LabelNames.names`.
struct LastLabel {
    private var name = "other"
    private var number = LabelNames.other

    /// Returns the number of a name's value of the label.
    /// - Parameter value: returns the value for the name, which is not called if the name is the last one.
    mutating func number(
        _ name: String,
        in names: borrowing LabelNames,
        _ value: (String) -> String = { $0 }
    ) -> Int {
        if name == self.name { return number }
        self.name = name
        number = names.number(value(name))
        return number
    }
}
