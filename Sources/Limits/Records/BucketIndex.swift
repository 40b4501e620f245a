/// The bucket of a record, or the entry of a slot record, in which units are counted.
struct BucketIndex: Sendable, Equatable {
    /// The number of the bucket. For slots, it is the end of the entry in microseconds.
    let number: Int
    /// The birth number (random id) of the record in which the units are counted; nil if only this instance has counted
    /// them so far, and always nil for slots. The next write adds units without a birth number to the record that then
    /// exists.
    let birth: UInt64?

    /// The value for units that are counted in no bucket: zero units, and slots without an entry.
    static let nowhere = BucketIndex(number: .max, birth: nil)
}
