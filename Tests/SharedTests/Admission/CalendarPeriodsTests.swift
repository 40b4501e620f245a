import Limits
import Testing

@testable import Shared

@Suite struct CalendarPeriodsTests {
    private static let quotas = (Quota(1, per: .month), Quota(1, per: .day, isCalendar: true))

    private func periods(_ zone: String, _ time: String) throws -> (month: CalendarPeriod, day: CalendarPeriod) {
        let now = try #require(DateTime.milliseconds(time))
        let periods = CalendarPeriods(in: DayZone(named: zone), atMilliseconds: now)
        #expect(periods.contain(milliseconds: now))
        return (try #require(periods.period(of: Self.quotas.0)), try #require(periods.period(of: Self.quotas.1)))
    }

    @Test(
        "a month and a day end at midnight in the zone, also where the offset is half an hour or changes in the period",
        arguments: [
            (
                "UTC", "2026-11-30T23:59:59.999Z", "2026-11", "2026-12-01T00:00:00Z", "2026-11-30",
                "2026-12-01T00:00:00Z"
            ),
            ("UTC", "2026-12-01T00:00:00Z", "2026-12", "2027-01-01T00:00:00Z", "2026-12-01", "2026-12-02T00:00:00Z"),
            ("UTC", "2028-02-05T12:00:00Z", "2028-02", "2028-03-01T00:00:00Z", "2028-02-05", "2028-02-06T00:00:00Z"),
            (
                "Asia/Kolkata", "2026-11-30T18:29:59Z", "2026-11", "2026-11-30T18:30:00Z", "2026-11-30",
                "2026-11-30T18:30:00Z"
            ),
            (
                "Asia/Kolkata", "2026-11-30T18:30:00Z", "2026-12", "2026-12-31T18:30:00Z", "2026-12-01",
                "2026-12-01T18:30:00Z"
            ),
            (
                "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10", "2026-10-31T23:00:00Z", "2026-10-25",
                "2026-10-25T23:00:00Z"
            ),
            (
                "Europe/Berlin", "2026-03-31T21:59:59Z", "2026-03", "2026-03-31T22:00:00Z", "2026-03-31",
                "2026-03-31T22:00:00Z"
            ),
            // The clock goes from midnight back to 23:00, and forward from midnight to 1:00.
            (
                "America/Santiago", "2027-04-04T03:30:00Z", "2027-04", "2027-05-01T04:00:00Z", "2027-04-03",
                "2027-04-04T04:00:00Z"
            ),
            (
                "America/Santiago", "2027-09-05T03:59:59Z", "2027-09", "2027-10-01T03:00:00Z", "2027-09-04",
                "2027-09-05T04:00:00Z"
            ),
        ]
    )
    func ends(zone: String, time: String, month: String, monthEnd: String, day: String, dayEnd: String) throws {
        let periods = try periods(zone, time)
        #expect(periods.month.name.hasPrefix(month + ".") && periods.day.name.hasPrefix(day + "."))
        #expect(periods.month.endMicroseconds == DateTime.milliseconds(monthEnd).map { $0 * 1_000 })
        #expect(periods.day.endMicroseconds == DateTime.milliseconds(dayEnd).map { $0 * 1_000 })
    }

    @Test(
        "the text of a period's end has the time that clocks show",
        arguments: [
            ("Europe/Berlin", "2026-11-30T12:00:00Z", "1 December 2026, 00:00 (Europe/Berlin)"),
            ("America/Santiago", "2027-09-04T12:00:00Z", "5 September 2027, 01:00 (America/Santiago)"),
        ]
    )
    func endText(zone: String, time: String, expected: String) throws {
        #expect(try periods(zone, time).day.endText == expected)
    }

    @Test("a clock that goes back over midnight, or over months, is in another period")
    func clockBack() throws {
        let december = try #require(DateTime.milliseconds("2026-12-01T00:00:00Z"))
        let periods = CalendarPeriods(in: .utc, atMilliseconds: december)
        #expect(periods.contain(milliseconds: december + 86_399_999))
        for time in [december - 1, december + 86_400_000, 0] { #expect(!periods.contain(milliseconds: time)) }
    }

    @Test("a period of another zone is another one, and its end is told in the zone")
    func names() throws {
        let (utc, berlin) = (
            try periods("UTC", "2026-12-05T12:00:00Z"), try periods("Europe/Berlin", "2026-12-05T12:00:00Z")
        )
        #expect(utc.month.name != berlin.month.name && utc.day.name != berlin.day.name)
        #expect(berlin.month.endText == "1 January 2027, 00:00 (Europe/Berlin)")
        #expect(utc.day.endText == "6 December 2026, 00:00 (UTC)")
    }

    @Test("other limits have no period, and a message names the period's end")
    func messages() throws {
        let periods = CalendarPeriods(in: .utc, atMilliseconds: 1_796_000_000_000)
        #expect(periods.period(of: Quota(1, per: .day, times: 31)) == nil)
        let quota = Quota(500_000_000_000, .usd, per: .month)
        let limit = Limit(.group(nil), quota, ofGroup: "eng", in: periods.period(of: quota))
        #expect(limit.id.hasPrefix("group.usd.2026-11."))
        let refusal = Decision.Refusal(limit: limit, requested: 1, retryAfterMicroseconds: 3_000_000)
        let text = Decision(.refused(refusal)).error?.message
        #expect(
            text
                == "The budget of group eng, 500.00 usd per month, is used up. It begins anew on 1 December 2026, 00:00 (UTC)."
        )
    }
}
