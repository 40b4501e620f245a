/// Counters that an earlier process saved and that no request of this process has asked for yet.
struct SavedCounters {
    private var records: [RecordKey: [UInt8]] = [:]
    /// The counters of the file that still count something.
    private(set) var counters: [SavedCounter] = []
    /// The number of counters that were ahead of the clock and were moved back.
    private(set) var movedBack = 0

    var isEmpty: Bool { records.isEmpty }

    /// Creates a table without counters.
    init() {}

    /// Takes over a file at a time of this process's clock. Drops what is older than its window, and moves back what is
    /// ahead of the clock.
    init(_ file: CounterFile, at time: Int) throws(CounterFile.ReadError) {
        for counter in file.counters {
            let layout = BucketLayout(windowSeconds: counter.windowSeconds)
            guard var record = try? Record(counter.record, layout) else { throw .content }
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

    /// Whether a counter was saved that is not in use yet.
    func contains(_ key: RecordKey) -> Bool { records[key] != nil }

    /// Returns a saved counter, once; nil if there is none of this key and grid.
    mutating func restore(_ key: RecordKey, _ layout: BucketLayout) -> Record? {
        if records.isEmpty { return nil }
        return records.removeValue(forKey: key).flatMap { try? Record($0, layout) }
    }
}

extension Record {
    /// Counts all units later, by whole buckets that take at least the given time.
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
