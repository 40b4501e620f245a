import Engine
import Glibc

/// A calendar day in UTC.
package struct Day: Sendable, Comparable {
    /// The number of days since 1970-01-01.
    package let number: Int

    /// Parses a day such as `2026-12-09`; nil if the calendar has no such day.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard text.count == 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            let year = Self.number(text[0..<4]), let month = Self.number(text[5..<7]), let day = Self.number(text[8...])
        else { return nil }
        var parts = tm()
        parts.tm_year = year - 1900
        parts.tm_mon = month - 1
        parts.tm_mday = day
        let seconds = timegm(&parts)
        // `timegm` turns a day beyond the end of a month into one of the next month.
        guard parts.tm_mon == month - 1, parts.tm_mday == day else { return nil }
        number = floorDivide(seconds, by: 86_400)
    }

    /// The largest distance from 1970-01-01, in days. It keeps times in milliseconds from overflowing.
    private static let maxDays = 1 << 32

    /// Creates a day from its days since 1970-01-01. A number out of range gives the first or the last possible day.
    package init(number: Int) { self.number = min(max(number, -Self.maxDays), Self.maxDays) }

    package static var today: Day { Day(number: floorDivide(time(nil), by: 86_400)) }

    package func adding(days: Int) -> Day { Day(number: number + days) }

    package var firstOfMonth: Day { adding(days: 1 - (Int(text.suffix(2)) ?? 1)) }

    package var secondsSince1970: Int { number * 86_400 }

    package static func < (one: Day, other: Day) -> Bool { one.number < other.number }

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int32? {
        digits.reduce(0) { sum, digit in
            guard let sum, (48...57).contains(digit) else { return nil }
            return sum * 10 + Int32(digit - 48)
        }
    }

    /// The day as text, such as `2026-12-09`.
    package var text: String { written("%Y-%m-%d") }

    /// The start of the day as an HTTP date, such as `Wed, 09 Dec 2026 00:00:00 GMT`.
    package var httpDate: String { written("%a, %d %b %Y %H:%M:%S GMT") }

    private func written(_ format: String) -> String {
        var seconds = secondsSince1970
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { text in
            let count = strftime(text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count, format, &parts)
            return UnsafeRawBufferPointer(rebasing: text[..<count]).text
        }
    }
}
