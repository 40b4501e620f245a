package import Engine

/// A number of units per window, as written in the settings: `60/minute`, `3.50 usd/day`, `5 concurrent`.
package struct Quota: Sendable, Hashable {
    package enum Unit: String, Sendable, Hashable, CaseIterable {
        case requests
        case tokens
        case images
        /// US dollars, counted in nanodollars.
        case usd
        case credits
        /// Requests that run at the same time. A quota of this unit has no window.
        case concurrent
    }

    package enum TimeUnit: Int, Sendable, Hashable {
        case second = 1
        case minute = 60
        case hour = 3_600
        case day = 86_400
        case week = 604_800
        /// A month of the calendar; the seconds are those of the longest.
        case month = 2_678_400

        package var name: StaticString {
            switch self {
            case .second: "second"
            case .minute: "minute"
            case .hour: "hour"
            case .day: "day"
            case .week: "week"
            case .month: "month"
            }
        }
    }

    package let unit: Unit
    /// The number of units, at least 1. For `usd`, it is the number of nanodollars.
    package let count: Int
    /// The number of time units in the window, such as 10 for `10 seconds`; 0 for `concurrent`.
    package let timeUnitCount: Int
    package let timeUnit: TimeUnit
    /// Whether the quota counts from the first to the last instant of a day or month of the calendar, instead of a
    /// sliding window.
    package let isCalendar: Bool

    package static let nanodollarsPerDollar = 1_000_000_000
    /// The largest `count` of a quota.
    package static let countBound = 10_000_000_000_000_000
    package static let longestWindowSeconds = 366 * 86_400

    package init(
        _ count: Int,
        _ unit: Unit = .requests,
        per timeUnit: TimeUnit,
        times timeUnitCount: Int = 1,
        isCalendar: Bool = false
    ) {
        self.unit = unit
        self.count = count
        self.timeUnitCount = unit == .concurrent ? 0 : timeUnitCount
        self.timeUnit = timeUnit
        self.isCalendar = isCalendar || timeUnit == .month
    }

    package var windowSeconds: Int { timeUnitCount * timeUnit.rawValue }

    /// The window of the quota's records, in seconds. A record of a period is of this period alone, so its units never
    /// leave it while the period lasts, also if a clock goes back in it.
    package var recordSeconds: Int { isCalendar ? 2 * windowSeconds : windowSeconds }

    /// Whether the quota is a budget, which running responses never pass: tokens, dollars or credits of an hour or more.
    package var isBudget: Bool { unit.isKnownLate && windowSeconds >= TimeUnit.hour.rawValue }

    /// A cent, or one unit of another kind. With less, a budget is used up.
    package var leastLeft: Int { unit == .usd ? Self.nanodollarsPerDollar / 100 : 1 }

    /// Returns whether a budget that has refused a request is used up: if less than `leastLeft` or than a fifth is left.
    func isUsedUp(withLeft left: Int) -> Bool { left < max(leastLeft, count / 5) }

    /// The quota as text, without a word such as `requests`: `60 per minute`, `50 per 10 seconds`, `5 concurrent`.
    package var text: String {
        switch timeUnitCount {
        case 0: "\(amount(count)) concurrent"
        case 1: "\(amount(count)) per \(timeUnitName)"
        default: "\(amount(count)) per \(timeUnitCount) \(timeUnit.name)s"
        }
    }

    /// The name of the window or period of one time unit, such as `day` or `calendar-day`.
    package var timeUnitName: StaticString { isCalendar && timeUnit == .day ? "calendar-day" : timeUnit.name }

    /// The quota as text with its unit: `60 requests per minute`, `5 concurrent`.
    package var textWithUnit: String {
        unit == .concurrent ? text : text.replacing(" per ", with: " \(unit.rawValue) per ")
    }

    /// The name that stands for the quota in the `RateLimit` headers, quoted.
    var policyName: String {
        let window = timeUnitCount == 1 ? "\(timeUnitName)" : "\(timeUnitCount)-\(timeUnitName)s"
        return unit == .requests ? "\"\(window)\"" : "\"\(window)-\(unit.rawValue)\""
    }

    /// Returns the quota as a value of `RateLimit-Policy`.
    func policy(windowSeconds: Int) -> String {
        "\(policyName);q=\(policyUnits(count));w=\(windowSeconds)\(unit == .usd ? #";qu="usd-micro""# : "")"
    }

    /// Returns units as the `RateLimit` headers count them: dollars in millionths.
    package func policyUnits(_ units: Int) -> Int {
        unit == .usd ? units / (Self.nanodollarsPerDollar / 1_000_000) : units
    }

    /// Returns a number of units as text, such as `128512`, or `3.50` for `usd`.
    package func amount(_ units: Int) -> String {
        var text = ByteBuffer()
        append(amount: units, to: &text)
        return text.text
    }

    package func append(amount units: Int, to text: inout ByteBuffer) {
        guard unit == .usd else { return text.append(decimal: units) }
        text.append(
            decimal: units / Self.nanodollarsPerDollar,
            rest: units % Self.nanodollarsPerDollar,
            of: Self.nanodollarsPerDollar,
            least: 100
        )
    }
}
