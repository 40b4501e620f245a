/// The first position at which a text is not JSON, for error messages. It is found in linear time, on bytes, after a
/// parser has rejected the text.
package struct JSONMistake: Sendable, Equatable {
    /// The byte index of the mistake; the number of bytes if the text ends too early.
    package let place: Int
    /// The expected syntax, as a phrase such as `a comma or }`.
    package let expected: StaticString

    /// Finds the mistake. Returns nil if the text follows JSON's grammar, even if it is invalid for another reason.
    package init?(in text: UnsafeRawBufferPointer) {
        var scan = JSONScan(text)
        guard let expected = scan.run() else { return nil }
        place = scan.place
        self.expected = expected
    }

    package static func == (one: JSONMistake, other: JSONMistake) -> Bool {
        one.place == other.place && "\(one.expected)" == "\(other.expected)"
    }
}

private struct JSONScan {
    private let text: UnsafeRawBufferPointer
    private(set) var place = 0
    /// The open containers; true for an object, false for an array.
    private var open: [Bool] = []

    private static let mostDepth = 1_024

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        if text.count >= 3, text[0] == 0xef, text[1] == 0xbb, text[2] == 0xbf { place = 3 }
    }

    private var byte: UInt8? { place < text.count ? text[place] : nil }

    /// Returns what is expected at `place`; nil if there is no mistake, or the text is nested too deeply.
    mutating func run() -> StaticString? {
        while true {
            if let expected = takeValue() {
                if open.count > Self.mostDepth { return nil }
                return expected
            }
            if open.count > Self.mostDepth { return nil }
            if isValueOpen { continue }
            // After a value, the next characters may end several containers.
            while true {
                skipBlanks()
                guard let isObject = open.last else { return byte == nil ? nil : "the end of the body" }
                guard let byte, byte == UInt8(ascii: ",") || byte == Self.end(isObject) else {
                    return isObject ? "a comma or }" : "a comma or ]"
                }
                place += 1
                if byte == UInt8(ascii: ",") {
                    if isObject, let expected = takeName() { return expected }
                    break
                }
                open.removeLast()
            }
        }
    }

    /// Whether a container has just begun, so that its first value comes next.
    private var isValueOpen = false

    private static func end(_ isObject: Bool) -> UInt8 { isObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

    private mutating func skipBlanks() {
        while let byte, byte == 32 || byte == 10 || byte == 13 || byte == 9 { place += 1 }
    }

    private mutating func takeValue() -> StaticString? {
        isValueOpen = false
        skipBlanks()
        guard let byte else { return "a value" }
        switch byte {
        case UInt8(ascii: "{"): return takeObject()
        case UInt8(ascii: "["):
            place += 1
            skipBlanks()
            isValueOpen = self.byte != UInt8(ascii: "]")
            if isValueOpen { open.append(false) } else { place += 1 }
            return nil
        case UInt8(ascii: "\""): return takeString()
        case UInt8(ascii: "t"): return takeWord("true")
        case UInt8(ascii: "f"): return takeWord("false")
        case UInt8(ascii: "n"): return takeWord("null")
        case UInt8(ascii: "-"), 48...57: return takeNumber()
        case UInt8(ascii: "'"): return "a value (with double quotes around strings)"
        default: return "a value"
        }
    }

    private mutating func takeObject() -> StaticString? {
        place += 1
        skipBlanks()
        if byte == UInt8(ascii: "}") {
            place += 1
            return nil
        }
        open.append(true)
        if let expected = takeName() { return expected }
        isValueOpen = true
        return nil
    }

    /// Parses a member's name and its colon. Returns what is expected if there is a mistake.
    private mutating func takeName() -> StaticString? {
        skipBlanks()
        guard byte == UInt8(ascii: "\"") else { return "a name in double quotes" }
        if let expected = takeString() { return expected }
        skipBlanks()
        guard byte == UInt8(ascii: ":") else { return "a colon" }
        place += 1
        return nil
    }

    private mutating func takeString() -> StaticString? {
        place += 1
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                return nil
            case UInt8(ascii: "\\"):
                place += 1
                if let expected = takeEscape() { return expected }
            case 0..<32: return "a string without control characters (write a line end as \\n)"
            default: place += 1
            }
        }
        return "a closing double quote"
    }

    private mutating func takeEscape() -> StaticString? {
        switch byte {
        case UInt8(ascii: "u"):
            place += 1
            for _ in 0..<4 {
                guard let byte, Self.isHexadecimal(byte) else { return "four hexadecimal digits" }
                place += 1
            }
            return nil
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            place += 1
            return nil
        default: return "an escape such as \\n or \\\\"
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...70, 97...102: true
        default: false
        }
    }

    private mutating func takeWord(_ word: StaticString) -> StaticString? {
        let start = place
        for offset in 0..<word.utf8CodeUnitCount {
            guard byte == word.utf8Start[offset] else {
                place = start
                return "a value"
            }
            place += 1
        }
        return nil
    }

    /// Parses a number such as `-12.5e+3`. Returns what is expected if there is a mistake.
    private mutating func takeNumber() -> StaticString? {
        if byte == UInt8(ascii: "-") { place += 1 }
        let start = place
        guard takeDigits() else { return "a digit" }
        if text[start] == 48, place - start > 1 {
            place = start + 1
            return "a number without leading zeros"
        }
        if byte == UInt8(ascii: ".") {
            place += 1
            guard takeDigits() else { return "a digit" }
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            place += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { place += 1 }
            guard takeDigits() else { return "a digit" }
        }
        return nil
    }

    private mutating func takeDigits() -> Bool {
        let start = place
        while let byte, (48...57).contains(byte) { place += 1 }
        return place > start
    }
}
