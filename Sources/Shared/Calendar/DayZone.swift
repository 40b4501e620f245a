/// A time zone. It determines when a day begins.
package struct DayZone: Sendable, Equatable {
    /// The name of the time zone, such as `Europe/Berlin`.
    package let name: String
    private let rules: ZoneRules

    package static let utc = DayZone("UTC", .utc)

    package static func == (one: DayZone, other: DayZone) -> Bool { one.name == other.name }

    private init(_ name: String, _ rules: ZoneRules) {
        self.name = name
        self.rules = rules
    }

    /// Creates the time zone with this name; UTC if the name is unknown.
    package init(named name: String) {
        guard name != "UTC", let rules = ZoneRules(file: "/usr/share/zoneinfo/" + name) else {
            self = .utc
            return
        }
        self.init(name, rules)
    }

    package var today: Day { day(atMilliseconds: Timestamp.now()) }

    /// Returns the day that contains a time, which is in milliseconds since 1970.
    package func day(atMilliseconds milliseconds: Int) -> Day {
        let second = floorDivide(milliseconds, by: 1_000)
        return Day(number: floorDivide(second &+ rules.offset(atSecond: second), by: 86_400))
    }

    /// Returns the start of a day in this time zone, in milliseconds since 1970.
    /// - Parameter secondsLater: seconds that a clock shows more, for a later time of the day.
    package func startMilliseconds(of day: Day, secondsLater: Int = 0) -> Int {
        let local = day.secondsSince1970 + secondsLater
        // Offsets are below a day, so the start is the local time minus one of the two offsets around it.
        let candidates = [local - 86_400, local + 86_400].map { local - rules.offset(atSecond: $0) }
        let hits = candidates.filter { local == $0 + rules.offset(atSecond: $0) }
        if let first = hits.min() { return first * 1_000 }
        // The clock jumps over this time, so the day begins, or goes on, at the jump.
        return (rules.leap(between: candidates.min() ?? local, and: candidates.max() ?? local)) * 1_000
    }

    /// Returns the time of the day that a clock in this time zone shows, such as `01:00`.
    package func clockText(atMilliseconds milliseconds: Int) -> String {
        let second = floorDivide(milliseconds, by: 1_000)
        let local = second &+ rules.offset(atSecond: second)
        let minute = (local - floorDivide(local, by: 86_400) * 86_400) / 60
        return "\(minute / 600)\(minute / 60 % 10):\(minute % 60 / 10)\(minute % 10)"
    }

    /// Returns the day of a time, and the range of its times in milliseconds since 1970.
    package func span(of milliseconds: Int) -> (day: Day, milliseconds: Range<Int>) {
        let day = day(atMilliseconds: milliseconds)
        let start = startMilliseconds(of: day)
        return (day, start..<max(start + 1, startMilliseconds(of: day.adding(days: 1))))
    }
}

package func floorDivide(_ number: Int, by size: Int) -> Int {
    let quotient = number / size
    return number % size < 0 ? quotient - 1 : quotient
}
