/// A value of the store.
enum StoredRecord: Sendable {
    case counts(Record)
    case slots(SlotRecord)

    init(_ bytes: [UInt8], of limit: Limit) throws(Record.Flaw) {
        if limit.quota.unit == .concurrent {
            self = .slots(try SlotRecord(bytes))
        } else {
            self = .counts(try Record(bytes, limit.grid))
        }
    }

    func encoded() -> [UInt8] {
        switch self {
        case .counts(let record): record.encoded()
        case .slots(let record): record.encoded()
        }
    }

    /// By more than a window and five seconds ahead of the clocks, which only a broken record is. An entry of slots says
    /// that of itself.
    func isTooFarAhead(of time: Int) -> Bool {
        switch self {
        case .counts(let record): record.isTooFarAhead(of: time)
        case .slots: false
        }
    }
}
