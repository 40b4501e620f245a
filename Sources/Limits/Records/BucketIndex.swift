/// The bucket or slot entry in which units are counted.
struct BucketIndex: Sendable, Equatable {
    /// The number of the bucket; for slots, the end of the entry in microseconds.
    let number: Int
    /// The birth number of the record in which the units are counted; nil if only this instance has counted them so far.
    /// They are then added to the record that exists at the next write.
    let birth: UInt64?

    /// The value that stands for zero units, and for slots without an entry.
    static let nowhere = BucketIndex(number: .max, birth: nil)
}
