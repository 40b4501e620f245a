/// The writes of a record whose outcome is unknown, until a read shows it.
///
/// All of them were to replace the same version of the record, so at most one of them is carried out, perhaps late.
struct UnknownWrites {
    struct Write {
        let mark: UInt32
        /// The id of the record (`birth`).
        let birth: UInt64
        /// The units that the write counts, all of which were decided about anew.
        let counted: [UnitReturn]
        /// The refunds that the write makes.
        let returns: [UnitReturn]
        /// The units that this instance holds of a budget, as the write has them.
        var reservations: SharedReservations?
    }

    private var writes: [Write] = []
    /// The number of the version that the writes were to replace; 0 if there was no record.
    private var replaced: UInt64 = 0
    /// Whether the last read has found that version, so that none of the writes was carried out before it.
    private var isUndone = false

    /// The largest number of writes. More of them in a row are as good as none.
    private static let bound = 8

    var isEmpty: Bool { writes.isEmpty }

    /// The refunds of writes that were not carried out. The next write makes them; if it succeeds, those writes fail.
    var undoneReturns: [UnitReturn] { isUndone ? writes.flatMap(\.returns) : [] }

    mutating func add(_ write: Write, over version: UInt64) {
        if writes.count == Self.bound { writes = [] }
        writes.append(write)
        (replaced, isUndone) = (version, false)
    }

    /// Handles a read of the record. Returns the write that was carried out, and the refunds that are missing then; nil if
    /// none was. If other writes came after it, its outcome stays unknown.
    /// - Parameter found: the record; nil if the store has none.
    mutating func resolve(_ found: Record?, version: UInt64, mark: UInt32) -> (write: Write, missing: [UnitReturn])? {
        if let done = writes.firstIndex(where: { $0.mark == mark && $0.birth == found?.birth }) {
            defer { writes = [] }
            return (writes[done], writes[done].counted + writes[(done + 1)...].flatMap(\.returns))
        }
        isUndone = version == replaced && (found == nil || found?.birth == writes.last?.birth)
        if !isUndone { writes = [] }
        return nil
    }
}

/// Units to take out of their bucket.
struct UnitReturn {
    let units: Int
    let bucket: BucketIndex
}
