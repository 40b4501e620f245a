/// The bucket or slot entry in which units are counted.
struct BucketIndex: Sendable, Equatable {
    /// The number of the bucket; for slots, the end of the entry in microseconds.
    let number: Int
    /// The birth number of the record in which the units are counted; nil if they are counted only in this instance,
    /// for whichever record exists at the next write.
    let birth: UInt64?

    /// The value for no units, and for slots that no entry holds.
    static let nowhere = BucketIndex(number: .max, birth: nil)
}
