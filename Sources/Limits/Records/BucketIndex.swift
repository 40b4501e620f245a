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
