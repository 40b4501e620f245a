/// A decoded value of the store: the counts or the slots of a limit.
enum StoredRecord: Sendable {
    case counts(Record)
    case slots(SlotRecord)

    init(_ bytes: [UInt8], of limit: Limit) throws(Record.ReadError) {
        if limit.quota.unit == .concurrent {
            self = .slots(try SlotRecord(bytes))
        } else {
            self = .counts(try Record(bytes, limit.layout))
        }
    }

    func encoded() -> [UInt8] {
        switch self {
        case .counts(let record): record.encoded()
        case .slots(let record): record.encoded()
        }
    }

    /// The seconds by which the last turn begins after the newest bucket, rounded up; 0 without turns.
    var secondsToLastTurn: Int {
        guard case .counts(let record) = self, let last = record.future.last else { return 0 }
        return (record.layout.start(of: last.number) - record.layout.start(of: record.newest)) / 1_000_000 + 1
    }

    /// Returns whether the newest bucket is more than a window and five seconds after `time`. Returns false for slots.
    func isTooFarAhead(of time: Int) -> Bool {
        switch self {
        case .counts(let record): record.isTooFarAhead(of: time)
        case .slots: false
        }
    }
}
