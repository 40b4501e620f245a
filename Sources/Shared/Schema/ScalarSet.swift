/// A set of Unicode characters in a regular expression, such as `[a-z]` or `\d`.
struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    /// The Unicode categories in the set, such as `Nd` (digits). If `isIn` is false, the set contains the characters
    /// outside the category instead.
    var categories: [(name: String, isIn: Bool)] = []
    /// The sets that are contained in this set, such as `\W` in `[\W_]`.
    var others: [ScalarSet] = []
    var isNegated = false

    init(_ ranges: [ClosedRange<UInt32>], isNegated: Bool = false) {
        self.ranges = ranges
        self.isNegated = isNegated
    }

    static let digits = ScalarSet([48...57])
    static let word = ScalarSet([48...57, 65...90, 95...95, 97...122])
    static let spaces = ScalarSet([
        9...13, 32...32, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029, 0x202f...0x202f,
        0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff,
    ])
    /// The characters that `.` matches: all characters except line ends.
    static let lineCharacters = ScalarSet([10...10, 13...13, 0x2028...0x2029], isNegated: true)

    var negated: ScalarSet {
        var set = self
        set.isNegated.toggle()
        return set
    }

    /// The largest number of ranges and categories that `contains` compares with a character.
    var size: Int { others.reduce(ranges.count + categories.count) { $0 + $1.size } }

    func contains(_ scalar: UInt32) -> Bool {
        let isIn =
            ranges.contains { $0.contains(scalar) } || others.contains { $0.contains(scalar) }
            || categories.contains { Self.category(scalar).hasPrefix($0.name) == $0.isIn }
        return isIn != isNegated
    }

    /// Returns the set for `\p{Name}` (`isIn` is true) or `\P{Name}`; nil if the category is unknown.
    static func category(_ name: String, isIn: Bool) -> ScalarSet? {
        let short =
            switch name {
            case "Letter": "L"
            case "Lowercase_Letter": "Ll"
            case "Uppercase_Letter": "Lu"
            case "Mark": "M"
            case "Number": "N"
            case "Decimal_Number", "digit": "Nd"
            case "Punctuation", "punct": "P"
            case "Symbol": "S"
            case "Separator": "Z"
            case "Other": "C"
            default: name
            }
        guard knownCategories.contains(short) else { return nil }
        var set = ScalarSet([])
        set.categories = [(short, isIn)]
        return set
    }

    private static let knownCategories: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
    ]

    private static func category(_ scalar: UInt32) -> String {
        guard let scalar = Unicode.Scalar(scalar) else { return "Cs" }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}
