/// The arguments of the program, sorted into words and options. Options can stand anywhere in the line.
struct CommandArguments {
    /// The words that are not options: the command, then what it is about.
    private(set) var words: [String] = []
    private var options: [(name: String, value: String?)] = []

    /// The options that a value follows.
    private static let withValue: Set<String> = [
        "--by", "--days", "--bill", "--digest", "--give-back", "--file", "--expires", "--output",
    ]

    init(_ arguments: [String]) {
        var rest = arguments[...]
        while let next = rest.popFirst() {
            guard next.hasPrefix("-") else {
                words.append(next)
                continue
            }
            var value = Self.withValue.contains(next) ? rest.popFirst() : nil
            // An amount such as `3.20 usd` may be two words.
            if next == "--give-back", let amount = value, amount.last?.isNumber == true, let unit = rest.popFirst() {
                value = "\(amount) \(unit)"
            }
            options.append((next, value))
        }
    }

    var isEmpty: Bool { words.isEmpty && options.isEmpty }

    mutating func takeWord() -> String? { words.isEmpty ? nil : words.removeFirst() }

    /// Removes the option. Returns whether the arguments contained it.
    mutating func take(_ name: String) -> Bool { index(of: name).map { options.remove(at: $0) } != nil }

    /// Removes the option and returns its value; nil if the option or its value is missing.
    mutating func takeValue(of name: String) -> String? {
        guard let index = index(of: name), let value = options[index].value else { return nil }
        options.remove(at: index)
        return value
    }

    private func index(of name: String) -> Int? { options.firstIndex { $0.name == name } }
}
