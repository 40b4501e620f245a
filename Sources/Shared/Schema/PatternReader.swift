import Engine

/// The syntax tree of a parsed regular expression.
indirect enum PatternTree {
    case empty
    case scalar(UInt32)
    /// Any character of a set. The number is the index of the set in `PatternReader.sets`.
    case set(Int)
    case beginning
    case end
    case wordEdge(Bool)
    case sequence([PatternTree])
    case alternatives([PatternTree])
    /// A repetition of a subtree: the smallest and the largest count, which is nil if unlimited.
    case repeated(PatternTree, Int, Int?)
}

/// A parser of JavaScript's regular expressions. Its functions return nil if the syntax is invalid or not supported.
struct PatternReader {
    private(set) var sets: [ScalarSet] = []
    private let scalars: [UInt32]
    private var index = 0
    private var depth = 0

    init(_ text: UnsafeRawBufferPointer) {
        var scalars: [UInt32] = []
        var offset = 0
        while let scalar = TextPattern.scalar(text, &offset) { scalars.append(scalar) }
        self.scalars = scalars
    }

    private var next: UInt32? { index < scalars.count ? scalars[index] : nil }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard next == character.value else { return false }
        index += 1
        return true
    }

    mutating func whole() -> PatternTree? {
        guard let tree = alternatives(), index == scalars.count else { return nil }
        return tree
    }

    private mutating func alternatives() -> PatternTree? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 40 else { return nil }
        var parts: [PatternTree] = []
        repeat {
            guard let part = sequence() else { return nil }
            parts.append(part)
        } while consume("|")
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() -> PatternTree? {
        var parts: [PatternTree] = []
        while let scalar = next, scalar != 0x7c, scalar != 0x29 {
            guard let atom = atom(), let part = repeated(atom) else { return nil }
            parts.append(part)
        }
        return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repeated(_ atom: PatternTree) -> PatternTree? {
        let bounds: (Int, Int?)
        if consume("*") {
            bounds = (0, nil)
        } else if consume("+") {
            bounds = (1, nil)
        } else if consume("?") {
            bounds = (0, 1)
        } else if next == 0x7b {
            guard let counts = counts() else { return nil }
            bounds = counts
        } else {
            return atom
        }
        _ = consume("?")
        if next == 0x2a || next == 0x2b || next == 0x7b { return nil }
        return .repeated(atom, bounds.0, bounds.1)
    }

    /// Parses a repetition such as `{2}`, `{2,}` or `{2,4}`. The largest count is nil if there is no limit.
    private mutating func counts() -> (Int, Int?)? {
        guard consume("{"), let least = count() else { return nil }
        if consume("}") { return (least, least) }
        guard consume(",") else { return nil }
        if consume("}") { return (least, nil) }
        guard let most = count(), consume("}"), most >= least else { return nil }
        return (least, most)
    }

    private mutating func count() -> Int? {
        var count: Int?
        while let scalar = next, (48...57).contains(scalar) {
            count = (count ?? 0) * 10 + Int(scalar - 48)
            guard count ?? 0 <= TextPattern.maxSteps else { return nil }
            index += 1
        }
        return count
    }

    private mutating func set(_ set: ScalarSet) -> PatternTree {
        sets.append(set)
        return .set(sets.count - 1)
    }

    private mutating func atom() -> PatternTree? {
        if consume("^") { return .beginning }
        if consume("$") { return .end }
        if consume(".") { return set(.lineCharacters) }
        if consume("(") {
            if consume("?") {
                if consume("<") {
                    // The name of a group. `<=` and `<!` are look-behind, which is not supported.
                    guard let first = next, first != 0x3d, first != 0x21 else { return nil }
                    while let scalar = next, scalar != 0x3e { index += scalar == 0x29 ? scalars.count : 1 }
                    guard consume(">") else { return nil }
                } else if !consume(":") {
                    return nil
                }
            }
            guard let tree = alternatives(), consume(")") else { return nil }
            return tree
        }
        if consume("[") { return bracket().map { set($0) } }
        if consume("\\") {
            if consume("b") { return .wordEdge(true) }
            if consume("B") { return .wordEdge(false) }
            switch escape() {
            case .scalar(let scalar): return .scalar(scalar)
            case .set(let set): return self.set(set)
            case nil: return nil
            }
        }
        guard let scalar = next, !Self.isSpecial(scalar) else { return nil }
        index += 1
        return .scalar(scalar)
    }

    /// Returns whether the character is `*`, `+`, `?` or `{`.
    private static func isSpecial(_ scalar: UInt32) -> Bool { [0x2a, 0x2b, 0x3f, 0x7b].contains(scalar) }

    private enum EscapedCharacter {
        case scalar(UInt32)
        case set(ScalarSet)
    }

    private mutating func escape() -> EscapedCharacter? {
        guard let scalar = next else { return nil }
        index += 1
        switch Unicode.Scalar(scalar) {
        case "d": return .set(.digits)
        case "D": return .set(ScalarSet.digits.negated)
        case "w": return .set(.word)
        case "W": return .set(ScalarSet.word.negated)
        case "s": return .set(.spaces)
        case "S": return .set(ScalarSet.spaces.negated)
        case "t": return .scalar(9)
        case "n": return .scalar(10)
        case "v": return .scalar(11)
        case "f": return .scalar(12)
        case "r": return .scalar(13)
        case "0": return next.map { (48...57).contains($0) } == true ? nil : .scalar(0)
        case "c":
            guard let letter = next, letter < 128, UInt8(letter).isLetterOrDigit, letter > 64 else { return nil }
            index += 1
            return .scalar(letter & 31)
        case "x": return hex(2).map { .scalar($0) }
        case "u": return unicode().map { .scalar($0) }
        case "p": return category(isIn: true).map { .set($0) }
        case "P": return category(isIn: false).map { .set($0) }
        default:
            // Other letters and digits are back references or have no meaning.
            if scalar < 128, UInt8(scalar).isLetterOrDigit { return nil }
            return .scalar(scalar)
        }
    }

    private mutating func hex(_ digits: Int) -> UInt32? {
        var number: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = next, let digit = Unicode.Scalar(scalar).flatMap({ Character($0).hexDigitValue }) else {
                return nil
            }
            number = number << 4 | UInt32(digit)
            index += 1
        }
        return number
    }

    private mutating func unicode() -> UInt32? {
        if consume("{") {
            let start = index
            while let scalar = next, scalar != 0x7d { index += index - start > 6 ? scalars.count : 1 }
            let count = index - start
            index = start
            guard (1...6).contains(count), let number = hex(count), consume("}") else { return nil }
            return number
        }
        guard let first = hex(4) else { return nil }
        guard (0xd800...0xdbff).contains(first), consume("\\"), consume("u"), let second = hex(4),
            (0xdc00...0xdfff).contains(second)
        else { return (0xd800...0xdfff).contains(first) ? nil : first }
        return 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
    }

    private mutating func category(isIn: Bool) -> ScalarSet? {
        guard consume("{") else { return nil }
        var name = ""
        while let scalar = next, scalar != 0x7d, name.utf8.count < 40 {
            if let scalar = Unicode.Scalar(scalar) { name.unicodeScalars.append(scalar) }
            index += 1
        }
        guard consume("}") else { return nil }
        for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        return ScalarSet.category(name, isIn: isIn)
    }

    /// Parses the rest of a character set such as `[a-z_]`, after the `[`.
    private mutating func bracket() -> ScalarSet? {
        var set = ScalarSet([], isNegated: consume("^"))
        while !consume("]") {
            guard let first = bracketAtom() else { return nil }
            guard case .scalar(let low) = first else {
                if case .set(let other) = first { set.others.append(other) }
                continue
            }
            guard next == 0x2d, index + 1 < scalars.count, scalars[index + 1] != 0x5d else {
                set.ranges.append(low...low)
                continue
            }
            index += 1
            switch bracketAtom() {
            case .scalar(let high):
                guard low <= high else { return nil }
                set.ranges.append(low...high)
            case .set(let other):
                set.ranges += [low...low, 0x2d...0x2d]
                set.others.append(other)
            case nil: return nil
            }
        }
        return set
    }

    private mutating func bracketAtom() -> EscapedCharacter? {
        guard let scalar = next else { return nil }
        if consume("\\") { return consume("b") ? .scalar(8) : consume("-") ? .scalar(0x2d) : escape() }
        index += 1
        return .scalar(scalar)
    }
}
