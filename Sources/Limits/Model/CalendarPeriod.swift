/// A day or month of the calendar in a time zone, which a limit counts.
package struct CalendarPeriod: Sendable {
    /// The name of the period and its zone in store keys, such as `2026-11.` and a digest of the zone.
    package let name: String
    /// The first instant after the period, in wall-clock microseconds.
    package let endMicroseconds: Int
    /// The end of the period as text for readers: `1 December 2026, 00:00 (Europe/Berlin)`.
    package let endText: String

    package init(name: String, endMicroseconds: Int, endText: String) {
        self.name = name
        self.endMicroseconds = endMicroseconds
        self.endText = endText
    }
}
