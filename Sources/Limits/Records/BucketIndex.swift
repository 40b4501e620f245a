/// The bucket of a record in which units are counted. For slots, the value stands for an instance's entry in a slot
/// record.
struct BucketIndex: Sendable, Equatable {
    /// The number of the bucket. For slots, the time at which the instance's entry ends, in microseconds.
    let number: Int
    /// The birth number (random id) of the record in which the units are counted; nil if only this instance has counted
    /// the units so far. The value is always nil for slots.
    let birth: UInt64?

    /// The value for units that are counted in no bucket: zero units, and slots without an entry.
    static let nowhere = BucketIndex(number: .max, birth: nil)
}
