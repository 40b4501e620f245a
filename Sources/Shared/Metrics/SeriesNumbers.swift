import Engine

/// The labels of one time series of requests. The route and the model are indexes in `LabelNames.names`.
package struct Series: Hashable, Sendable {
    package let route: UInt16
    package let model: UInt16
    /// The HTTP status or an operation's error number; 0 if the value is not from 100 to 599.
    package let status: UInt16

    package init(route: Int, model: Int, status: Int) {
        self.route = UInt16(truncatingIfNeeded: route)
        self.model = UInt16(truncatingIfNeeded: model)
        self.status = (100...599).contains(status) ? UInt16(truncatingIfNeeded: status) : 0
    }
}

/// Assigns a small number to each time series that occurs. All loops share the numbers.
package final class SeriesNumbers: Sendable {
    private struct State {
        /// The time series; the index is the series' number. When no new series can be added, series 0 counts the rest.
        var series = [SeriesNumbers.rest]
        var numbers = [SeriesNumbers.rest: 0]

        mutating func add(_ new: Series) -> Int {
            numbers[new] = series.count
            series.append(new)
            return series.count - 1
        }
    }

    private static let rest = Series(route: LabelNames.other, model: LabelNames.other, status: 0)
    private let state = Lock(State())

    /// The number of time series up to which a new series gets all labels. Later, a request that needs a new series is
    /// counted by its status only.
    package static let whole = 400
    package static let limit = 512
    private let whole: Int
    private let limit: Int

    package init(whole: Int = SeriesNumbers.whole, limit: Int = SeriesNumbers.limit) {
        self.whole = whole
        self.limit = limit
    }

    /// Returns the index in `all` under which a series is counted. Loops cache recent results, so they seldom call
    /// this.
    func number(_ series: Series) -> Int {
        state.withLock { state in
            if let known = state.numbers[series] { return known }
            if state.series.count < whole { return state.add(series) }
            let coarse = Series(route: LabelNames.other, model: LabelNames.other, status: Int(series.status))
            if let known = state.numbers[coarse] { return known }
            return state.series.count < limit ? state.add(coarse) : 0
        }
    }

    package var all: [Series] { state.withLock { $0.series } }
}

/// One loop's cache of the numbers that `SeriesNumbers` has assigned to time series. Reading it needs no lock.
struct RecentSeries {
    private struct SeriesEntry {
        var series = Series(route: LabelNames.other, model: LabelNames.other, status: 0)
        var number = 0
    }

    private let numbers: SeriesNumbers
    private var recent = [SeriesEntry](repeating: SeriesEntry(), count: RecentSeries.count)
    private static let count = 256

    init(_ numbers: SeriesNumbers) { self.numbers = numbers }

    mutating func number(_ series: Series) -> Int {
        let mix = UInt(series.route) &* 31 &+ UInt(series.model) &* 7 &+ UInt(series.status)
        let index = Int(mix % UInt(Self.count))
        let kept = recent[index]
        if kept.series == series, kept.number > 0 { return kept.number }
        let number = numbers.number(series)
        recent[index] = SeriesEntry(series: series, number: number)
        return number
    }
}
