import Engine

/// A text format that the relay can check, from the schema keyword `format`.
enum TextFormat: String {
    case dateTime = "date-time"
    case date, time, duration, email, hostname, ipv4, ipv6, uuid, uri

    /// The description of the format in error messages.
    var phrase: String {
        switch self {
        case .dateTime: "a date and time as 2024-01-31T23:59:59Z (RFC 3339)"
        case .date: "a date as 2024-01-31"
        case .time: "a time as 23:59:59Z (RFC 3339)"
        case .duration: "a duration as P1DT2H (ISO 8601)"
        case .email: "an email address"
        case .hostname: "a host name"
        case .ipv4: "an IPv4 address"
        case .ipv6: "an IPv6 address"
        case .uuid: "a UUID"
        case .uri: "a URI with its scheme"
        }
    }

    func fits(_ text: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .dateTime:
            text.count > 11 && (text[10] == 84 || text[10] == 116) && Self.isDate(text[part: 0..<10])
                && Self.isTime(text[part: 11..<text.count])
        case .date: Self.isDate(text)
        case .time: Self.isTime(text)
        case .duration: Self.isDuration(text)
        case .email: Self.isEmail(text)
        case .hostname: Self.isHostname(text)
        case .ipv4: Self.isIPv4(text)
        case .ipv6: Self.isIPv6(text)
        case .uuid: Self.isUUID(text)
        case .uri: Self.isURI(text)
        }
    }

    /// Returns the value of the decimal digits in a range; nil if there are other characters.
    private static func number(_ text: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard range.upperBound <= text.count else { return nil }
        var number = 0
        for index in range {
            guard (48...57).contains(text[index]) else { return nil }
            number = number * 10 + Int(text[index] - 48)
        }
        return number
    }

    private static func isDate(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == 10, text[4] == 45, text[7] == 45, let year = number(text, 0..<4),
            let month = number(text, 5..<7), let day = number(text, 8..<10), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    private static func isTime(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 9, text[2] == 58, text[5] == 58, let hour = number(text, 0..<2),
            let minute = number(text, 3..<5), let second = number(text, 6..<8), hour < 24, minute < 60, second <= 60
        else { return false }
        var offset = 8
        if text[offset] == 46 {
            offset += 1
            let start = offset
            while offset < text.count, (48...57).contains(text[offset]) { offset += 1 }
            guard offset > start else { return false }
        }
        guard offset < text.count else { return false }
        var minutesToUTC = 0
        if text[offset] == 43 || text[offset] == 45 {
            guard text.count == offset + 6, text[offset + 3] == 58,
                let hours = number(text, (offset + 1)..<(offset + 3)),
                let minutes = number(text, (offset + 4)..<(offset + 6)), hours < 24, minutes < 60
            else { return false }
            minutesToUTC = (hours * 60 + minutes) * (text[offset] == 43 ? -1 : 1)
        } else {
            guard text.count == offset + 1, text[offset] == 90 || text[offset] == 122 else { return false }
        }
        // A leap second can only be the last second of a day in UTC.
        return second < 60 || (hour * 60 + minute + minutesToUTC + 2_880) % 1_440 == 1_439
    }

    private static func isDuration(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count >= 3, text[0] == 80 else { return false }
        var (units, isTime, offset, last) = (Array("YMDW".utf8), false, 1, -1)
        var seen: [UInt8] = []
        while offset < text.count {
            if text[offset] == 84, !isTime {
                (units, isTime, last) = (Array("HMS".utf8), true, -1)
                offset += 1
                guard offset < text.count else { return false }
            }
            let start = offset
            while offset < text.count, (48...57).contains(text[offset]) { offset += 1 }
            guard offset > start, offset < text.count, let unit = units.firstIndex(of: text[offset]) else {
                return false
            }
            // The units must be consecutive.
            guard last < 0 || unit == last + 1 else { return false }
            last = unit
            seen.append(text[offset])
            offset += 1
        }
        return !seen.contains(87) || seen.count == 1
    }

    private static func isEmail(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let at = text.lastIndex(of: 64), (1...64).contains(at) else { return false }
        let (local, host) = (text[part: 0..<at], text[part: (at + 1)..<text.count])
        if host.first == 91, host.last == 93, host.count > 2 {
            let address = host[part: 1..<(host.count - 1)]
            guard isIPv4(address) || address.hasPrefix("IPv6:") && isIPv6(address[part: 5..<address.count]) else {
                return false
            }
        } else if !isHostname(host) {
            return false
        }
        if local.count > 2, local[0] == 34, local[at - 1] == 34 { return !local[1..<(at - 1)].contains(34) }
        guard local[0] != 46, local[at - 1] != 46 else { return false }
        var last: UInt8 = 0
        for byte in local {
            if byte == 46 && last == 46 { return false }
            guard byte >= 0x80 || byte.isLetterOrDigit || Array("!#$%&'*+-/=?^_`{|}~.".utf8).contains(byte) else {
                return false
            }
            last = byte
        }
        return true
    }

    private static func isHostname(_ text: UnsafeRawBufferPointer) -> Bool {
        guard (1...253).contains(text.count) else { return false }
        return text.split(separator: 46, omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != 45 && label.last != 45
                && label.allSatisfy { $0 == 45 || $0.isLetterOrDigit }
        }
    }

    private static func isIPv4(_ text: some Collection<UInt8>) -> Bool {
        let parts = text.split(separator: 46, omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy { (48...57).contains($0) }
                    && (part.count == 1 || part.first != 48) && part.reduce(0) { $0 * 10 + Int($1 - 48) } < 256
            }
    }

    private static func isIPv6(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 45 else { return false }
        var parts = text.split(separator: 58, omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return false }
        var groups = 0
        if let last = parts.last, last.contains(46) {
            guard isIPv4(last) else { return false }
            parts.removeLast()
            groups = 2
            if parts.last?.isEmpty == true { parts.append(last[last.endIndex...]) }
        }
        // `::` may occur once. At an end of the address it makes two empty parts.
        var gaps = 0
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                let isEnd = index == 0 || index == parts.count - 1
                if isEnd, parts.count > 1, !parts[index == 0 ? 1 : index - 1].isEmpty { return false }
                if !isEnd { gaps += 1 }
            } else {
                guard part.count <= 4, part.allSatisfy({ isHex($0) }) else { return false }
                groups += 1
            }
        }
        return gaps == 0 ? groups == 8 : gaps == 1 && groups < 8
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    private static func isUUID(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count == 36
            && text.enumerated().allSatisfy {
                [8, 13, 18, 23].contains($0.offset) ? $0.element == 45 : isHex($0.element)
            }
    }

    private static func isURI(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let colon = text.first(58), colon > 0, text[0].isLetterOrDigit, text[0] > 57 else { return false }
        let scheme = text[part: 0..<colon]
        guard scheme.allSatisfy({ $0.isLetterOrDigit || $0 == 43 || $0 == 45 || $0 == 46 }) else { return false }
        return text.allSatisfy { $0 > 32 && $0 < 127 && !Array("\"<>\\^`{|}".utf8).contains($0) }
    }
}
