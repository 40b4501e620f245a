import Engine
import Shared
import Testing

@Suite struct TimestampTests {
    private func text(_ milliseconds: [Int]) -> [String] {
        var timestamp = Timestamp()
        return milliseconds.map {
            var buffer = ByteBuffer()
            timestamp.append(milliseconds: $0, to: &buffer)
            return String(decoding: buffer.bytes, as: UTF8.self)
        }
    }

    @Test(
        "dates, leap years and ends of days",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_767_268_800_123, "2026-01-01T12:00:00.123Z"), (253_402_300_799_000, "9999-12-31T23:59:59.000Z"),
            (1_798_761_599_007, "2026-12-31T23:59:59.007Z"),
        ]
    )
    func dates(milliseconds: Int, expected: String) { #expect(text([milliseconds]) == [expected]) }

    @Test("a time outside of the years that have four digits is the first or the last of them")
    func outside() {
        for milliseconds in [Int.min, .min + 999, -62_167_219_200_001] {
            #expect(text([milliseconds])[0].hasPrefix("0000-01-01T00:00:00."))
        }
        for milliseconds in [Int.max, 253_402_300_800_000] {
            #expect(text([milliseconds])[0].hasPrefix("9999-12-31T23:59:59."))
        }
        for number in [Int.min, .max] {
            let day = Day(number: number)
            #expect(day == Day(number: day.number) && !day.text.isEmpty)
            #expect(DayZone.utc.startMilliseconds(of: DayZone.utc.day(atMilliseconds: number)) != 0)
        }
    }

    @Test("the kept second is renewed, forwards and backwards")
    func cached() {
        #expect(
            text([999, 1_000, 1_001, 60_000, 59_999]) == [
                "1970-01-01T00:00:00.999Z", "1970-01-01T00:00:01.000Z", "1970-01-01T00:00:01.001Z",
                "1970-01-01T00:01:00.000Z", "1970-01-01T00:00:59.999Z",
            ]
        )
        #expect(Timestamp.text(second: 1_767_225_600) == "2026-01-01T00:00:00Z")
    }

    @Test("every day of four centuries follows the one before")
    func everyDay() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var day = 0
        var mistakes = 0
        for year in 1970..<2370 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for month in 1...12 {
                for date in 1...(lengths[month - 1] + (isLeap && month == 2 ? 1 : 0)) {
                    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
                    let expected = "\(year)-\(two(month))-\(two(date))T00:00:00Z"
                    if Timestamp.text(second: day * 86_400) != expected { mistakes += 1 }
                    day += 1
                }
            }
        }
        #expect(mistakes == 0 && day == 146_097)
    }
}
