/// The free slots that an instance leaves to others, because their requests have waited longer.
struct LeftSlots {
    /// The time after which an instance takes a slot that is left to others, in microseconds: two looks at the record. The
    /// other instance may have died.
    private static let longestMicroseconds = 200_000

    /// The time since which free slots are left; nil if none are left.
    private var since: Int?
    /// The request that came first, when the record was last seen; nil if none came earlier than those of this instance.
    private var first: SlotRecord.Waiter?

    /// Returns the number of free slots to leave.
    /// - Parameter earlier: the requests of other instances that came before those of this one.
    func count(_ earlier: [SlotRecord.Waiter], at time: Int) -> Int {
        if let since, time - since >= Self.longestMicroseconds { return 0 }
        return earlier.count
    }

    /// Records that the record was seen with a number of free slots.
    mutating func saw(_ free: Int, _ earlier: [SlotRecord.Waiter], at time: Int) {
        // Another request is the first one, so the slots that were left are not the free ones of now.
        if earlier.min() != first { since = nil }
        first = earlier.min()
        let isLeft = free > 0 && (since != nil || free <= earlier.count)
        since = isLeft ? since ?? time : nil
    }
}
