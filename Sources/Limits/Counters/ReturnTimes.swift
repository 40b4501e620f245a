/// The room for which requests return that a limit refused within the same second. The earlier requests of that second
/// count as if they use their room.
struct ReturnTimes {
    private static let spanMicroseconds = 1_000_000
    /// The most by which other refused requests delay the return of a request, in microseconds.
    private static let longestDelay = 60_000_000

    /// The wall-clock time of the first refusal.
    private var since = 0
    /// The units of the refused requests, in the buckets in which they have room.
    private var expected: [Record.FutureBucket] = []

    /// Adds a request, and returns the microseconds after which it should return: see `LimitCounter`.
    mutating func returnTime(
        of units: Int,
        after wait: Int,
        patience: Int,
        _ record: Record,
        of bound: Int,
        at time: Int
    ) -> Int {
        let layout = record.layout
        let window = layout.start(of: record.newest + layout.kept) - time - min(patience, LimitPatience.least)
        // Responses have whole milliseconds, rounded up.
        let latest = min(window, wait + Self.longestDelay) / 1_000 * 1_000
        let turn = add(units, to: record, of: bound, by: layout.bucket(at: time + latest + patience), at: time)
        return max(wait, turn.map { min(latest, layout.start(of: $0) - time - patience) } ?? latest)
    }

    /// Adds a request, and returns the bucket in which it has room; nil if there is none up to the bucket `last`.
    private mutating func add(
        _ units: Int,
        to record: consuming Record,
        of bound: Int,
        by last: Int,
        at time: Int
    ) -> Int? {
        if !(0..<Self.spanMicroseconds).contains(time - since) { (since, expected) = (time, []) }
        for bucket in expected { record.change(bucket.number, to: record.count(in: bucket.number) + bucket.units) }
        guard let turn = record.turn(units, of: bound, by: last) else { return nil }
        if let index = expected.firstIndex(where: { $0.number == turn }) {
            expected[index].units += units
        } else if expected.count < record.layout.kept {
            expected.append(Record.FutureBucket(number: turn, units: units))
        }
        return turn
    }
}
