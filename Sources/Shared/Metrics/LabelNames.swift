/// The values that one label may have: what a caller sends never makes a new one.
package struct LabelNames: Sendable {
    /// By number; the first is `other`, for all that is not known.
    package let names: [String]
    private let numbers: [String: Int]

    package static let other = 0
    /// Further names count as `other`.
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

    /// The same with further ones, as far as there is room: those that are there keep their numbers.
    func adding(_ known: LabelNames) -> LabelNames { LabelNames(Array(names.dropFirst()) + known.names) }

    package func number(_ name: String) -> Int { numbers[name] ?? Self.other }
}

/// The name that was asked for last, with its number: most often the next is the same.
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
