import Engine
import Limits

/// The current month and day of the calendar in a time zone.
struct CalendarPeriods: Sendable {
    private let month: CalendarPeriod
    private let day: CalendarPeriod
    private let dayStartMilliseconds: Int

    init(in zone: DayZone, atMilliseconds now: Int = Timestamp.now()) {
        let today = zone.day(atMilliseconds: now)
        let text = today.text
        // The longest month has 31 days.
        let nextMonth = today.firstOfMonth.adding(days: 31).firstOfMonth
        month = zone.period(String(text.prefix(7)), from: today.firstOfMonth, before: nextMonth)
        day = zone.period(text, from: today, before: today.adding(days: 1))
        dayStartMilliseconds = zone.startMilliseconds(of: today)
    }

    /// Returns whether a time is in both periods. A month begins and ends with a day.
    func contain(milliseconds now: Int) -> Bool {
        now >= dayStartMilliseconds && now * 1_000 < day.endMicroseconds
    }

    /// Returns the current period of a quota; nil if the quota has a sliding window.
    func period(of quota: Quota) -> CalendarPeriod? {
        guard quota.isCalendar else { return nil }
        return quota.timeUnit == .month ? month : day
    }
}

extension DayZone {
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    /// Returns the period with this name from the beginning of one day to that of another.
    fileprivate func period(_ period: String, from start: Day, before end: Day) -> CalendarPeriod {
        let parts = end.text.split(separator: "-").map { Int($0) ?? 1 }
        // A day begins at one where clocks go forward at midnight.
        let endMilliseconds = startMilliseconds(of: end)
        let time = clockText(atMilliseconds: endMilliseconds)
        return CalendarPeriod(
            name: "\(period).\(Digest(of: name).base64url(characters: 8))",
            endMicroseconds: endMilliseconds * 1_000,
            seconds: (endMilliseconds - startMilliseconds(of: start)) / 1_000,
            endText: "\(parts[2]) \(Self.months[parts[1] - 1]) \(parts[0]), \(time) (\(name))",
            now: { Timestamp.now() * 1_000 }
        )
    }
}
