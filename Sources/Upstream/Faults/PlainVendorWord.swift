/// A word of a vendor's error message that may contain digits although it names nothing private: the path of a field, a
/// setting, a model or a regular expression.
struct PlainVendorWord {
    /// The word without quotes and punctuation around it.
    private let text: [UInt8]

    private static let around = Array("\"'`,.:;!?()<>".utf8)
    private static let maxNameBytes = 24

    init(_ word: Substring) {
        // Typographic quotes have no byte in ASCII.
        let plain = word.utf8.drop { $0 >= 128 || Self.around.contains($0) }
        text = Array(plain.reversed().drop { $0 >= 128 || Self.around.contains($0) }.reversed())
    }

    /// Whether the word is a path of names and small numbers, such as `tools.0.custom.input_schema` or
    /// `messages[3].tool_calls[0].id`.
    var isFieldPath: Bool {
        let segments = text.split { ".[]".utf8.contains($0) }
        if segments.count == 1 { return isSnakeName }
        guard segments.count > 1, let first = segments.first, Self.isName(first, mayEndInDigits: false) else {
            return false
        }
        // Names of hosts contain neither brackets nor underscores.
        let hasIndex = segments.contains { Self.isNumber($0, maxDigits: 4) }
        let mayEndInDigits = hasIndex || text.contains { "[_".utf8.contains($0) }
        var numbers = 0
        for segment in segments.dropFirst() {
            if Self.isNumber(segment, maxDigits: 4) {
                numbers += 1
                // An IP address has four.
                if numbers > 2 { return false }
            } else {
                numbers = 0
                guard Self.isName(segment, mayEndInDigits: mayEndInDigits) else { return false }
            }
        }
        return true
    }

    /// Whether the word is a name such as `mcp__github__create_review_v2`: at least three plain words or small numbers.
    private var isSnakeName: Bool {
        let parts = text.split(separator: UInt8(ascii: "_"))
        return parts.count > 2 && !text.contains { (65...90).contains($0) }
            && parts.allSatisfy { Self.isNumber($0, maxDigits: 2) || Self.isName($0, mayEndInDigits: true) }
    }

    /// Whether the word is a number of a named setting, such as `max_model_len=max_total_tokens=8192`.
    var isSetting: Bool {
        let parts = text.split(separator: UInt8(ascii: "="))
        guard parts.count > 1, let number = parts.last, Self.isNumber(number, maxDigits: 9) else { return false }
        return parts.dropLast().allSatisfy { Self.isName($0, mayEndInDigits: false) }
    }

    private static func isName(_ segment: ArraySlice<UInt8>, mayEndInDigits: Bool) -> Bool {
        segment.split(separator: UInt8(ascii: "_")).allSatisfy { part in
            if mayEndInDigits, isDate(part) { return true }
            let digits = part.reversed().prefix { $0.isDigit }.count
            guard part.count <= maxNameBytes, digits == 0 || mayEndInDigits && digits <= 2 else { return false }
            return digits < part.count && part.dropLast(digits).allSatisfy { isLetter($0) || "-$".utf8.contains($0) }
        }
    }

    /// Whether the word is the name of a model that contains a date, such as `claude-sonnet-4-5-20250929`.
    var isDatedModel: Bool {
        let parts = text.split { "-@".utf8.contains($0) }
        guard let first = parts.first, first.allSatisfy(Self.isLetter) else { return false }
        let isOfModel = parts.allSatisfy { part in
            if part.allSatisfy(Self.isLetter) { return part.count <= 16 }
            if part.count == 8 { return Self.isDate(part) }
            return part.count <= 5
                && part.allSatisfy { Self.isLetter($0) || $0.isDigit || $0 == UInt8(ascii: ".") }
        }
        guard isOfModel else { return false }
        return parts.indices.contains { index in
            guard Self.isYear(parts[index].prefix(4)) else { return false }
            if parts[index].count == 8 { return true }
            let neighbours = [index - 1, index + 1].filter(parts.indices.contains)
            return parts[index].count == 4
                && neighbours.contains { parts[$0].count == 2 && Self.isNumber(parts[$0], maxDigits: 2) }
        }
    }

    /// Whether the word is a regular expression with a class of characters, such as `^[a-zA-Z0-9_-]{1,64}$`.
    var isPattern: Bool {
        guard let first = text.first, "^[".utf8.contains(first), !text.contains(UInt8(ascii: "@")) else { return false }
        let classes = ["a-z", "A-Z", "0-9", #"\d"#, #"\w"#]
        return String(decoding: text, as: UTF8.self).containsAny(of: classes)
            && text.split { !Self.isLetter($0) && !$0.isDigit }.allSatisfy { $0.count <= 8 }
    }

    private static func isNumber(_ bytes: ArraySlice<UInt8>, maxDigits: Int) -> Bool {
        bytes.count <= maxDigits && bytes.allSatisfy(\.isDigit)
    }

    private static func isDate(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count == 8 && isYear(bytes.prefix(4)) && bytes.allSatisfy(\.isDigit)
    }

    private static func isYear(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.count == 4 && bytes.starts(with: "20".utf8) && bytes.allSatisfy(\.isDigit)
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 32) }
}

extension String {
    fileprivate func containsAny(of parts: [String]) -> Bool { parts.contains(where: contains) }
}
