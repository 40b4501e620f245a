import Engine

extension Quota {
    /// A mistake in a text with a list of limits.
    package struct Mistake: Error, Equatable {
        package let item: String
        package let reason: String

        package init(item: String, reason: String) {
            self.item = item
            self.reason = reason
        }

        package var text: String { "\"\(item)\": \(reason)" }
    }

    /// Parses a list of limits that are joined by `;`. Returns an empty list for `off`.
    ///
    /// A limit is written as `60/minute`, `5 usd per 2 days` or `5 concurrent`.
    package static func list(_ text: String) throws(Mistake) -> [Quota] {
        if text.trimmed.lowercased() == "off" { return [] }
        var quotas: [Quota] = []
        for item in text.split(separator: ";", omittingEmptySubsequences: false) {
            let quota = try Quota(String(item.trimmed))
            let isTwice = quotas.contains {
                $0.unit == quota.unit && $0.windowSeconds == quota.windowSeconds && $0.isCalendar == quota.isCalendar
            }
            if isTwice {
                throw Mistake(
                    item: String(item.trimmed),
                    reason: "the window already has a limit of this unit; remove one of them"
                )
            }
            quotas.append(quota)
        }
        return quotas
    }

    private init(_ item: String) throws(Mistake) {
        func mistake(_ reason: String) -> Mistake { Mistake(item: item, reason: reason) }
        var words = Self.words(item.lowercased())[...]
        guard let number = words.popFirst(), number.first?.isDigit == true else {
            throw mistake("a limit begins with a number, as in 60/minute" + (item.first == "$" ? "; or 5 usd/day" : ""))
        }
        var unit = Unit.requests
        if let word = words.first, let named = Unit(rawValue: word) ?? Unit(rawValue: word + "s") {
            unit = named
            words.removeFirst()
        }
        let count = try Self.count(number, of: unit, item)
        if unit == .concurrent {
            guard words.isEmpty else { throw mistake("a limit of concurrent requests must not have a window") }
            self.init(count, unit, per: .second)
            return
        }
        guard let joint = words.popFirst() else {
            throw mistake("no window, as in \(item)/\(unit == .usd || unit == .credits ? "day" : "minute")")
        }
        guard joint == "/" || joint == "per" else {
            let units = Unit.allCases.map(\.rawValue).joined(separator: ", ")
            throw mistake("\"\(joint)\" is not a unit; use one of (\(units))")
        }
        var timeUnitCount = 1
        if let word = words.first, word.first?.isDigit == true {
            guard let number = Int(word), number >= 1 else {
                throw mistake("\"\(word)\" is not a number of seconds, minutes, hours, days or weeks")
            }
            timeUnitCount = number
            words.removeFirst()
        }
        let period = words.first
        let isCalendar = period == "month" || period == "calendar-day"
        guard let name = words.popFirst(), words.isEmpty, let timeUnit = TimeUnit(named: name),
            !isCalendar || timeUnitCount == 1
        else {
            throw mistake(
                "the window must be month, calendar-day, or second, minute, hour, day or week, optionally with a number, as in 5 minutes"
            )
        }
        guard timeUnitCount <= Self.longestWindowSeconds / timeUnit.rawValue else {
            throw mistake("the maximum window is 366 days")
        }
        self.init(count, unit, per: timeUnit, times: timeUnitCount, isCalendar: isCalendar)
    }

    /// Parses an amount with its unit, such as `3.20 usd`. Returns nil if the text is no amount.
    package static func amount(_ text: String) -> (units: Int, unit: Unit)? {
        let words = text.lowercased().split(separator: " ").map(String.init)
        guard words.count == 2, let unit = Unit(rawValue: words[1]) ?? Unit(rawValue: words[1] + "s"),
            let units = try? count(words[0], of: unit, text)
        else { return nil }
        return (units, unit)
    }

    private static func count(_ text: String, of unit: Unit, _ item: String) throws(Mistake) -> Int {
        func mistake(_ reason: String) -> Mistake { Mistake(item: item, reason: reason) }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else { throw mistake("\"\(text)\" is not a number") }
        guard parts.count == 1 || unit == .usd else { throw mistake("only usd limits can have decimals") }
        let decimals = parts.count == 2 ? parts[1] : ""
        guard decimals.utf8.count <= 9 else { throw mistake("a usd limit can have at most 9 decimals") }
        let scale = unit == .usd ? 9 : 0
        let padding = String(repeating: "0", count: scale - decimals.utf8.count)
        guard let count = Int(parts[0] + decimals + padding), count <= countBound else {
            throw mistake("the number must be at most \(Quota(countBound, unit, per: .day).amount(countBound))")
        }
        guard count > 0 else { throw mistake("the number must be at least \(unit == .usd ? "0.000000001" : "1")") }
        return count
    }

    /// Splits a text into numbers, words and slashes. For example, `30s` becomes `30` and `s`.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var last: CharacterKind?
        for character in text {
            let kind = CharacterKind(character)
            if kind != .blank {
                if kind == last, kind != .slash {
                    words[words.count - 1].append(character)
                } else {
                    words.append(String(character))
                }
            }
            last = kind
        }
        return words
    }
}

private enum CharacterKind {
    case number
    case slash
    case blank
    case word

    init(_ character: Character) {
        switch character {
        case "/": self = .slash
        case " ", "\t": self = .blank
        case ".": self = .number
        default: self = character.isDigit ? .number : .word
        }
    }
}

extension Character {
    fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
}

extension Quota.TimeUnit {
    fileprivate init?(named name: String) {
        switch name {
        case "s", "second", "seconds": self = .second
        case "m", "minute", "minutes": self = .minute
        case "h", "hour", "hours": self = .hour
        case "d", "day", "days", "calendar-day": self = .day
        case "w", "week", "weeks": self = .week
        case "month": self = .month
        default: return nil
        }
    }
}
