/// The first syntax error in a text that a JSON parser has rejected.
package struct JSONMistake: Sendable, Equatable {
    /// The offset of the error in bytes; the length of the text if the text ends too early.
    package let offset: Int
    /// The syntax that was expected at the error, as a phrase such as `a comma or }`.
    package let expected: StaticString

    /// Finds the first syntax error. Returns nil if there is none or the text is nested too deeply.
    package init?(in text: UnsafeRawBufferPointer) {
        var scan = JSONScan(text)
        guard let expected = scan.run() else { return nil }
        offset = scan.offset
        self.expected = expected
    }

    package static func == (one: JSONMistake, other: JSONMistake) -> Bool {
        one.offset == other.offset && "\(one.expected)" == "\(other.expected)"
    }
}

private struct JSONScan {
    private let text: UnsafeRawBufferPointer
    private(set) var offset: Int
    /// The open arrays and objects, outermost first; true for an object, false for an array.
    private var open: [Bool] = []

    private static let maxDepth = 1_024

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        offset = RawJSON.start(of: text)
    }

    private var byte: UInt8? { offset < text.count ? text[offset] : nil }

    /// Checks the text. Returns a phrase for the syntax expected at `offset`; nil if there is no error or the text is
    /// nested too deeply.
    mutating func run() -> StaticString? {
        while true {
            let expected = consumeValue()
            if open.count > Self.maxDepth { return nil }
            if let expected { return expected }
            if isValueOpen { continue }
            // After a value, the next characters may end several containers.
            while true {
                skipBlanks()
                guard let isObject = open.last else { return byte == nil ? nil : "the end of the body" }
                guard let byte, byte == UInt8(ascii: ",") || byte == Self.end(isObject) else {
                    return isObject ? "a comma or }" : "a comma or ]"
                }
                offset += 1
                if byte == UInt8(ascii: ",") {
                    if isObject, let expected = consumeName() { return expected }
                    break
                }
                open.removeLast()
            }
        }
    }

    /// Whether an array or object has just begun, so that its first value comes next.
    private var isValueOpen = false

    private static func end(_ isObject: Bool) -> UInt8 { isObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

    private mutating func skipBlanks() {
        while let byte, byte == 32 || byte == 10 || byte == 13 || byte == 9 { offset += 1 }
    }

    private mutating func consumeValue() -> StaticString? {
        isValueOpen = false
        skipBlanks()
        guard let byte else { return "a value" }
        switch byte {
        case UInt8(ascii: "{"): return consumeObject()
        case UInt8(ascii: "["):
            offset += 1
            skipBlanks()
            isValueOpen = self.byte != UInt8(ascii: "]")
            if isValueOpen { open.append(false) } else { offset += 1 }
            return nil
        case UInt8(ascii: "\""): return consumeString()
        case UInt8(ascii: "t"): return consumeWord("true")
        case UInt8(ascii: "f"): return consumeWord("false")
        case UInt8(ascii: "n"): return consumeWord("null")
        case UInt8(ascii: "-"), 48...57: return consumeNumber()
        case UInt8(ascii: "'"): return "a value (with double quotes around strings)"
        default: return "a value"
        }
    }

    private mutating func consumeObject() -> StaticString? {
        offset += 1
        skipBlanks()
        if byte == UInt8(ascii: "}") {
            offset += 1
            return nil
        }
        open.append(true)
        if let expected = consumeName() { return expected }
        isValueOpen = true
        return nil
    }

    /// Parses a member's name and colon. Returns a phrase for the expected syntax; nil if both are valid.
    private mutating func consumeName() -> StaticString? {
        skipBlanks()
        guard byte == UInt8(ascii: "\"") else { return "a name in double quotes" }
        if let expected = consumeString() { return expected }
        skipBlanks()
        guard byte == UInt8(ascii: ":") else { return "a colon" }
        offset += 1
        return nil
    }

    private mutating func consumeString() -> StaticString? {
        offset += 1
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return nil
            case UInt8(ascii: "\\"):
                offset += 1
                if let expected = consumeEscape() { return expected }
            case 0..<32: return "a string without control characters (write a line end as \\n)"
            default: offset += 1
            }
        }
        return "a closing double quote"
    }

    private mutating func consumeEscape() -> StaticString? {
        switch byte {
        case UInt8(ascii: "u"): return consumeUnicodeEscape()
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 1
            return nil
        default: return "an escape such as \\n or \\\\"
        }
    }

    private mutating func consumeUnicodeEscape() -> StaticString? {
        let start = offset - 1
        offset += 1
        guard let unit = consumeUnit() else { return "four hexadecimal digits" }
        guard unit & 0xf800 == 0xd800 else { return nil }
        if unit < 0xdc00, text[part: offset..<text.count].hasPrefix("\\u") {
            offset += 2
            if let second = consumeUnit(), second & 0xfc00 == 0xdc00 { return nil }
        }
        offset = start
        return "a whole character (this escape is half of one, such as of an emoji that was cut)"
    }

    /// Parses four hexadecimal digits; nil if there are fewer.
    private mutating func consumeUnit() -> Int? {
        var unit = 0
        for _ in 0..<4 {
            guard let digit = byte?.hexValue else { return nil }
            unit = unit << 4 | Int(digit)
            offset += 1
        }
        return unit
    }

    private mutating func consumeWord(_ word: StaticString) -> StaticString? {
        let start = offset
        for index in 0..<word.utf8CodeUnitCount {
            guard byte == word.utf8Start[index] else {
                offset = start
                return "a value"
            }
            offset += 1
        }
        return nil
    }

    /// Parses a number. Returns a phrase for the expected syntax; nil if the number is valid.
    private mutating func consumeNumber() -> StaticString? {
        if byte == UInt8(ascii: "-") { offset += 1 }
        let start = offset
        guard consumeDigits() else { return "a digit" }
        if text[start] == 48, offset - start > 1 {
            offset = start + 1
            return "a number without leading zeros"
        }
        if byte == UInt8(ascii: ".") {
            offset += 1
            guard consumeDigits() else { return "a digit" }
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            offset += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { offset += 1 }
            guard consumeDigits() else { return "a digit" }
        }
        return nil
    }

    private mutating func consumeDigits() -> Bool {
        let start = offset
        while let byte, (48...57).contains(byte) { offset += 1 }
        return offset > start
    }
}
