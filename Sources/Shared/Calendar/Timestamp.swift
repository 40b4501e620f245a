package import Engine
import Glibc

/// A formatter of UTC times such as `2026-01-01T12:00:00.123Z`.
package struct Timestamp: Sendable {
    private var second = Int.min
    /// The text of the last formatted time without its milliseconds, as in `2026-01-01T12:00:00`.
    private var text: [UInt8] = Array("0000-00-00T00:00:00".utf8)

    package init() {}

    /// Appends a time in milliseconds since 1970 as text, clamped to the years 0 to 9999.
    package mutating func append(milliseconds: Int, to buffer: inout ByteBuffer) {
        let (second, rest) = Timestamp.split(milliseconds, by: 1_000)
        if second != self.second { set(second) }
        text.withUnsafeBytes { buffer.append($0) }
        buffer.append(UInt8(ascii: "."))
        buffer.append(UInt8(ascii: "0") + UInt8(rest / 100))
        buffer.append(UInt8(ascii: "0") + UInt8(rest / 10 % 10))
        buffer.append(UInt8(ascii: "0") + UInt8(rest % 10))
        buffer.append(UInt8(ascii: "Z"))
    }

    /// Returns a time as `2026-01-01T12:00:00Z`, from seconds since 1970.
    package static func text(second: Int) -> String {
        var timestamp = Timestamp()
        timestamp.set(second)
        return String(decoding: timestamp.text, as: UTF8.self) + "Z"
    }

    /// Returns the minute of a time as `28 Nov 05:12`, from seconds since 1970. The minute is rounded up.
    package static func minute(_ second: Int) -> String {
        let text = Array(text(second: second + 59).utf8)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func part(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
        let month = (Int(part(5..<7)) ?? 1) - 1
        return "\(Int(part(8..<10)) ?? 1) \(months.indices.contains(month) ? months[month] : "") \(part(11..<16))"
    }

    /// Returns the wall-clock time of the machine in milliseconds since 1970.
    package static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }

    /// The first second of the year 0, in seconds since 1970.
    private static let firstSecond = -62_167_219_200
    /// The last second of the year 9999, in seconds since 1970.
    private static let lastSecond = 253_402_300_799

    private mutating func set(_ second: Int) {
        self.second = second
        let (day, secondOfDay) = Timestamp.split(min(max(second, Self.firstSecond), Self.lastSecond), by: 86_400)
        let date = Timestamp.date(day: day)
        put(date.year, at: 0, digits: 4)
        put(date.month, at: 5, digits: 2)
        put(date.day, at: 8, digits: 2)
        put(secondOfDay / 3_600, at: 11, digits: 2)
        put(secondOfDay / 60 % 60, at: 14, digits: 2)
        put(secondOfDay % 60, at: 17, digits: 2)
    }

    private mutating func put(_ number: Int, at start: Int, digits: Int) {
        var rest = number
        for offset in (start..<start + digits).reversed() {
            text[offset] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    /// Divides two numbers. Returns the quotient, rounded down, and the remainder, which is never negative.
    private static func split(_ number: Int, by size: Int) -> (Int, Int) {
        let rest = (number % size + size) % size
        return (number / size - (number % size < 0 ? 1 : 0), rest)
    }

    /// Returns the Gregorian date of a day, which is a number of days since 1970-01-01.
    private static func date(day: Int) -> (year: Int, month: Int, day: Int) {
        // Years begin in March here, so that a leap day is the last day of its year.
        let (era, dayOfEra) = split(day + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfMonth)
    }
}
