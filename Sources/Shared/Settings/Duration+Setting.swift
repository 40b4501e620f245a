extension Duration {
    /// Parses a duration such as `500ms`, `30s` or `2h`; a number alone means seconds.
    ///
    /// Returns nil if the text is invalid or outside the range.
    init?(setting text: String, in range: ClosedRange<Duration>) {
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let microseconds: Int
        switch text[digits.endIndex...] {
        case "ms": microseconds = 1_000
        case "", "s": microseconds = 1_000_000
        case "m": microseconds = 60_000_000
        case "h": microseconds = 3_600_000_000
        default: return nil
        }
        // More digits would not be exact in a Double.
        guard digits.utf8.count <= 15, digits.first != ".", digits.last != ".", let number = Double(digits) else {
            return nil
        }
        let exact = number * Double(microseconds)
        guard exact < 1e15 else { return nil }
        self = .microseconds(Int(exact.rounded()))
        guard range.contains(self) else { return nil }
    }

    /// The duration as the text of a setting, such as `90s`, `2h` or `500ms`.
    var settingText: String {
        let milliseconds = nanoseconds / 1_000_000
        if milliseconds == 0 { return "0" }
        // Of a loop over the units, the compiler makes one of two codes by chance: Scripts/prove-build.
        func text(_ size: Int, _ unit: String) -> String? {
            milliseconds % size == 0 ? "\(milliseconds / size)\(unit)" : nil
        }
        return text(3_600_000, "h") ?? text(60_000, "m") ?? text(1_000, "s") ?? "\(milliseconds)ms"
    }

    /// The duration in whole nanoseconds. A duration of 292 years or more would overflow.
    package var nanoseconds: Int {
        Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }

    /// The duration in milliseconds, rounded up and at least 1.
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        return max(1, Int(seconds) * 1_000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
