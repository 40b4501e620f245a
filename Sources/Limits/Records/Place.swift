/// The place where units are counted.
struct Place: Sendable, Equatable {
    /// The bucket; of slots, when the entry ends (microseconds).
    let number: Int
    /// Of the record they were counted in; nil: counted here, to be added to whatever record there is then.
    let birth: UInt64?

    /// Of no units, or of slots that no entry holds.
    static let nowhere = Place(number: .max, birth: nil)
}
