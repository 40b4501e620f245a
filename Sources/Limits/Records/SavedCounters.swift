/// Counters that an earlier process saved and that no request of this process has used yet.
struct SavedCounters {
    private var records: [RecordKey: [UInt8]] = [:]
    /// The file's counters, without those whose units no longer count.
    private(set) var counters: [SavedCounter] = []
    /// The number of counters whose newest bucket was in the future, so that they were moved back.
    private(set) var movedBack = 0

    var isEmpty: Bool { records.isEmpty }

    init() {}

    /// Creates a table of a file's counters, without counts that are older than their window.
    /// - Parameter time: the current time of this process's clock.
    init(_ file: CounterFile, at time: Int) throws(CounterFile.ReadError) {
        for counter in file.counters {
            let layout = BucketLayout(windowSeconds: counter.windowSeconds)
            guard var record = try? Record(counter.record, layout) else { throw .content }
            record.future = []  // The requests that waited for these turns ended with their process.
            record.moveOn(byMicroseconds: file.behindMicroseconds)
            if record.newest > layout.bucket(at: time) {
                record.moveBack(to: time)
                movedBack += 1
            }
            record.roll(to: time)
            records[counter.key] = record.total > 0 ? record.encoded() : nil
        }
        let seconds = Dictionary(file.counters.map { ($0.key, $0.windowSeconds) }) { _, last in last }
        counters = records.map { SavedCounter(key: $0, windowSeconds: seconds[$0] ?? 0, record: $1) }
    }

    /// Returns whether an earlier process saved a counter of this limit that no request has used yet.
    func contains(_ key: RecordKey, _ limit: Limit) -> Bool {
        !records.isEmpty && (records[key] != nil || records[key.former(of: limit)] != nil)
    }

    /// Removes a saved counter and returns its record; nil if there is no record that fits the limit.
    mutating func restore(_ key: RecordKey, _ limit: Limit) -> Record? {
        if records.isEmpty { return nil }
        let former = records.removeValue(forKey: key.former(of: limit))
        return (records.removeValue(forKey: key) ?? former).flatMap { try? Record($0, limit.layout) }
    }
}

extension Record {
    /// Moves all counts to later buckets, by the given time rounded up to whole buckets.
    fileprivate mutating func moveOn(byMicroseconds time: Int) {
        guard time > 0 else { return }
        let distance = (time * layout.perWindow + layout.windowMicroseconds - 1) / layout.windowMicroseconds
        var moved = Record(layout, newest: newest + distance, birth: birth)
        for age in 0..<min(layout.kept, newest + 1) {
            moved.change(newest + distance - age, to: count(in: newest - age))
        }
        self = moved
    }
}
