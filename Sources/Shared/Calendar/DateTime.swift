/// A parser for times in the format of RFC 3339.
package enum DateTime {
    /// Returns a time such as `2026-01-31T12:00:00.5+01:00` in milliseconds since 1970; nil if the text is invalid.
    package static func milliseconds(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard (20...40).contains(bytes.count), bytes[10] == 84 || bytes[10] == 116,
            let day = bytes[..<10].withUnsafeBytes({ Day($0) }),
            let second = secondOfDay(bytes[11..<19], hasSeconds: true)
        else { return nil }
        var rest = bytes[19...]
        var milliseconds = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            for index in 0..<3 {
                milliseconds =
                    milliseconds * 10 + (index < digits.count ? Int(digits[digits.startIndex + index] - 48) : 0)
            }
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = offset(rest) else { return nil }
        return (day.secondsSince1970 + second - offset) * 1_000 + milliseconds
    }

    /// Returns a UTC offset, such as `+01:00`, in seconds; nil if the offset is invalid.
    private static func offset(_ bytes: ArraySlice<UInt8>) -> Int? {
        if bytes.count == 1, bytes.first == 90 || bytes.first == 122 { return 0 }
        // A space counts as a plus, because a plus in a URL's query means a space.
        guard let sign = bytes.first, [43, 45, 32].contains(sign),
            let seconds = secondOfDay(bytes.dropFirst(), hasSeconds: false)
        else { return nil }
        return sign == 45 ? -seconds : seconds
    }

    /// Returns a time such as `12:00:00` or `12:00` in seconds since midnight; nil if invalid.
    private static func secondOfDay(_ bytes: ArraySlice<UInt8>, hasSeconds: Bool) -> Int? {
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.count == 2 ? Int(String(decoding: $0, as: UTF8.self)) : nil }
        guard parts.count == (hasSeconds ? 3 : 2), numbers.count == parts.count,
            (0..<24).contains(numbers[0]), (0..<60).contains(numbers[1]), !hasSeconds || (0...60).contains(numbers[2])
        else { return nil }
        return numbers[0] * 3_600 + numbers[1] * 60 + (hasSeconds ? numbers[2] : 0)
    }
}
