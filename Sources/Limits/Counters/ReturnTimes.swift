/// The room for which requests return that a limit refused within the same second. The earlier requests of that second
/// count as if they use their room.
struct ReturnTimes {
    private static let spanMicroseconds = 1_000_000

    /// The wall-clock time of the first refusal.
    private var since = 0
    /// The units of the refused requests, in the buckets in which they have room.
    private var expected: [Record.FutureBucket] = []

    /// Adds a request, and returns the bucket in which it has room; nil if there is none up to the bucket `last`.
    mutating func add(_ units: Int, to record: consuming Record, of bound: Int, by last: Int, at time: Int) -> Int? {
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
