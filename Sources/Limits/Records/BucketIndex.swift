/// The bucket in which a limit's record counts some units. For slots, the end of this instance's entry.
struct BucketIndex: Sendable, Equatable {
    /// The number of the bucket, counted from 1970 on. For slots, the time at which the instance's entry ends, in
    /// microseconds.
    let number: Int
    /// The birth number (random id) of the units' record; nil for slots and for locally counted units.
    let birth: UInt64?

    /// The value for units that are counted in no bucket: zero units, and slots without an entry.
    static let nowhere = BucketIndex(number: .max, birth: nil)
}

extension Record {
    /// Returns whether the record can contain units that were counted in `bucket`. It cannot if the store has lost the
    /// units' record since then, unless that was put back.
    func canContain(_ bucket: BucketIndex) -> Bool {
        guard let birth = bucket.birth, birth != self.birth else { return true }
        return origin?.record.birth == birth
    }
}
