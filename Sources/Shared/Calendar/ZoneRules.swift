import Engine
import Glibc

/// The offsets of a time zone from UTC, from a time zone file (RFC 9636).
struct ZoneRules: Sendable {
    /// The changes of the offset in ascending order: each time in seconds since 1970, and the new offset in seconds.
    private var changes: [(second: Int, offset: Int)] = []
    private var firstOffset = 0
    /// The rule for times after the last change in `changes`; nil if the last offset stays valid.
    private var later: ZoneFooter?

    static let utc = ZoneRules()
    private static let fileLimitBytes = 1 << 20

    private init() {}

    init?(file path: String) {
        guard let file = fopen(path, "rbe") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Self.fileLimitBytes)
        let count = fread(&bytes, 1, bytes.count, file)
        self.init(Array(bytes.prefix(count)))
    }

    /// Parses a time zone file. Returns nil if the bytes are no valid time zone file.
    init?(_ bytes: [UInt8]) {
        guard let first = ZoneHeader(bytes[...]) else { return nil }
        var header = first
        var body = bytes[44...]
        var timeBytes = 4
        if header.version > 0 {
            guard body.count >= header.bodyBytes(timeBytes: 4) else { return nil }
            let second = body.dropFirst(header.bodyBytes(timeBytes: 4))
            guard let next = ZoneHeader(second) else { return nil }
            (header, body, timeBytes) = (next, second.dropFirst(44), 8)
        }
        guard body.count >= header.bodyBytes(timeBytes: timeBytes), header.types > 0 else { return nil }
        let kinds = body.dropFirst(header.times * timeBytes)
        let types = kinds.dropFirst(header.times)
        let offsets = (0..<header.types).map { types.number(at: $0 * 6, bytes: 4) }
        firstOffset = offsets[0]
        for index in 0..<header.times {
            let kind = Int(kinds[kinds.startIndex + index])
            guard kind < offsets.count else { return nil }
            changes.append((body.number(at: index * timeBytes, bytes: timeBytes), offsets[kind]))
        }
        guard zip(changes, changes.dropFirst()).allSatisfy({ $0.second < $1.second }) else { return nil }
        if timeBytes == 8 { later = ZoneFooter(body.dropFirst(header.bodyBytes(timeBytes: 8))) }
    }

    /// Returns the seconds by which the time zone is ahead of UTC at a time.
    func offset(atSecond second: Int) -> Int {
        if let last = changes.last, second >= last.second { return later?.offset(atSecond: second) ?? last.offset }
        if changes.isEmpty { return later?.offset(atSecond: second) ?? firstOffset }
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].second <= second { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : changes[low - 1].offset
    }

    /// Returns the time at which the zone's offset from UTC changes, in seconds since 1970. The offset must change
    /// exactly once after `low`, up to `high`.
    func leap(between low: Int, and high: Int) -> Int {
        var (low, high) = (low, high)
        let after = offset(atSecond: high)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(atSecond: middle) == after { high = middle } else { low = middle }
        }
        return high
    }
}

/// A header in a time zone file. A file has one or two headers, each followed by its data.
private struct ZoneHeader {
    let version: UInt8
    private let counts: [Int]

    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= 44, bytes.starts(with: "TZif".utf8) else { return nil }
        version = bytes[bytes.startIndex + 4]
        counts = (0..<6).map { bytes.number(at: 20 + 4 * $0, bytes: 4) }
        guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
    }

    var times: Int { counts[3] }
    var types: Int { counts[4] }

    func bodyBytes(timeBytes: Int) -> Int {
        times * (timeBytes + 1) + types * 6 + counts[5] + counts[2] * (timeBytes + 4) + counts[1] + counts[0]
    }
}

/// The rule at the end of a time zone file, in the form of the environment variable `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`.
private struct ZoneFooter: Sendable {
    /// The yearly change to or from daylight saving time: a date, and the local time in seconds since midnight.
    private struct Switch: Sendable {
        enum Date: Sendable {
            /// A weekday of a month, such as its last Sunday. Weekday 0 is Sunday, and week 5 is the last.
            case week(month: Int, week: Int, day: Int)
            /// The day of the year, from 1 to 365. 29 February is not counted.
            case plain(Int)
            /// The day of the year, from 0 to 365. 29 February is counted in leap years.
            case leap(Int)
        }

        let date: Date
        let seconds: Int
    }

    private let standard: Int
    private var summer: (offset: Int, start: Switch, end: Switch)?

    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.first == 10, let end = bytes.dropFirst().firstIndex(of: 10) else { return nil }
        var text = bytes[(bytes.startIndex + 1)..<end]
        guard Self.skipName(&text), let offset = Self.time(&text) else { return nil }
        standard = -offset
        if text.isEmpty { return }
        guard Self.skipName(&text) else { return nil }
        var summerOffset = standard + 3_600
        if text.first != UInt8(ascii: ",") {
            guard let offset = Self.time(&text) else { return nil }
            summerOffset = -offset
        }
        guard let start = Self.change(&text), let stop = Self.change(&text), text.isEmpty else { return nil }
        summer = (summerOffset, start, stop)
    }

    func offset(atSecond second: Int) -> Int {
        guard let summer else { return standard }
        let year = year(ofDay: floorDivide(second &+ standard, by: 86_400))
        let start = Self.second(summer.start, year) - standard
        let end = Self.second(summer.end, year) - summer.offset
        let isSummer = start < end ? (start..<end).contains(second) : !(end..<start).contains(second)
        return isSummer ? summer.offset : standard
    }

    private static func second(_ change: Switch, _ year: Int) -> Int {
        let newYear = dayNumber(year: year, month: 1, day: 1)
        let isLeap = dayNumber(year: year + 1, month: 1, day: 1) - newYear == 366
        let day =
            switch change.date {
            case .plain(let day): newYear + day - 1 + (isLeap && day > 59 ? 1 : 0)
            case .leap(let day): newYear + day
            case .week(let month, let week, let day): Self.day(year, month, week, day)
            }
        return day * 86_400 + change.seconds
    }

    private static func day(_ year: Int, _ month: Int, _ week: Int, _ weekday: Int) -> Int {
        let first = dayNumber(year: year, month: month, day: 1)
        let next =
            month == 12 ? dayNumber(year: year + 1, month: 1, day: 1) : dayNumber(year: year, month: month + 1, day: 1)
        // The first of January 1970 was a Thursday.
        let firstWeekday = ((first + 4) % 7 + 7) % 7
        var day = first + (weekday - firstWeekday + 7) % 7 + 7 * (week - 1)
        while day >= next { day -= 7 }
        return day
    }

    // MARK: Reading

    private static func skipName(_ text: inout ArraySlice<UInt8>) -> Bool {
        let isQuoted = text.first == UInt8(ascii: "<")
        let name = text.prefix { byte in
            isQuoted ? byte != UInt8(ascii: ">") : (65...90).contains(byte) || (97...122).contains(byte)
        }
        text = text.dropFirst(name.count + (isQuoted ? 1 : 0))
        return name.count >= 3
    }

    private static func number(_ text: inout ArraySlice<UInt8>) -> Int? {
        let digits = text.prefix { (48...57).contains($0) }
        guard (1...3).contains(digits.count) else { return nil }
        text = text.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    /// Parses a time (`[+-]hh[:mm[:ss]]`) at the beginning of the text, and removes it. Returns the seconds; nil if the
    /// time is invalid.
    private static func time(_ text: inout ArraySlice<UInt8>) -> Int? {
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative || text.first == UInt8(ascii: "+") { text = text.dropFirst() }
        guard let hours = number(&text) else { return nil }
        var seconds = hours * 3_600
        for scale in [60, 1] where text.first == UInt8(ascii: ":") {
            text = text.dropFirst()
            guard let part = number(&text) else { return nil }
            seconds += part * scale
        }
        return isNegative ? -seconds : seconds
    }

    private static func change(_ text: inout ArraySlice<UInt8>) -> Switch? {
        guard text.popFirst() == UInt8(ascii: ",") else { return nil }
        let date: Switch.Date
        switch text.first {
        case UInt8(ascii: "M"):
            text = text.dropFirst()
            var numbers: [Int] = []
            for index in 0..<3 {
                if index > 0, text.popFirst() != UInt8(ascii: ".") { return nil }
                guard let number = number(&text) else { return nil }
                numbers.append(number)
            }
            guard (1...12).contains(numbers[0]), (1...5).contains(numbers[1]), numbers[2] < 7 else { return nil }
            date = .week(month: numbers[0], week: numbers[1], day: numbers[2])
        case UInt8(ascii: "J"):
            text = text.dropFirst()
            guard let day = number(&text) else { return nil }
            date = .plain(day)
        default:
            guard let day = number(&text) else { return nil }
            date = .leap(day)
        }
        guard text.first == UInt8(ascii: "/") else { return Switch(date: date, seconds: 7_200) }
        text = text.dropFirst()
        return time(&text).map { Switch(date: date, seconds: $0) }
    }
}

/// Returns the number of a Gregorian date, counted in days from 1970-01-01.
private func dayNumber(year: Int, month: Int, day: Int) -> Int {
    // The calculation lets years begin in March, so that a leap day ends its year. 146,097 days are 400 years.
    let year = month <= 2 ? year - 1 : year
    let era = floorDivide(year, by: 400)
    let yearOfEra = year - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}

private func year(ofDay day: Int) -> Int {
    var year = 1970 + floorDivide(day, by: 366)
    while dayNumber(year: year + 1, month: 1, day: 1) <= day { year += 1 }
    return year
}

extension ArraySlice<UInt8> {
    /// Returns a signed big-endian number of 4 or 8 bytes, at an offset from the slice's start.
    fileprivate func number(at offset: Int, bytes: Int) -> Int {
        let digits = self[(startIndex + offset)..<(startIndex + offset + bytes)]
        let value = digits.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return bytes == 4 ? Int(Int32(truncatingIfNeeded: value)) : Int(truncatingIfNeeded: value)
    }
}
