/// A dictionary that knows its least recently used entry.
///
/// It is public, because only public code is specialised in another module (Swift 6.3).
public struct RecentTable<Key: Hashable, Value> {
    @usableFromInline struct Slot {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline var older: Int32
        @usableFromInline var newer: Int32

        @inlinable init(key: Key, value: Value) {
            self.key = key
            self.value = value
            older = -1
            newer = -1
        }
    }

    @usableFromInline var indices: [Key: Int32] = [:]
    @usableFromInline var slots: [Slot] = []
    @usableFromInline var newest: Int32 = -1
    @usableFromInline var oldest: Int32 = -1

    @inlinable public var count: Int { indices.count }
    @inlinable var isEmpty: Bool { indices.isEmpty }

    @inlinable public init() {}

    /// Returns the value of a key and marks it as the most recently used; nil if the key is absent.
    @inlinable public mutating func use(_ key: Key) -> Value? { withValue(of: key) { $0 } }

    /// Calls `body` with the value of a key, and marks it as the most recently used. Returns nil if the key is absent.
    @inlinable public mutating func withValue<Result>(of key: Key, _ body: (inout Value) -> Result) -> Result? {
        // This is often the most recently used entry, which is found without hashing.
        if newest < 0 || slots[Int(newest)].key != key {
            guard let index = indices[key] else { return nil }
            unlink(index)
            link(index)
        }
        return body(&slots[Int(newest)].value)
    }

    /// Adds or replaces a value. Then removes the least recently used entries until at most `bound` entries are left.
    @inlinable public mutating func set(_ key: Key, _ value: Value, atMost bound: Int) {
        set(key, value)
        while count > bound, let old = leastRecentlyUsed { remove(old.key) }
    }

    /// Adds or replaces a value, and marks it as the most recently used.
    @inlinable public mutating func set(_ key: Key, _ value: Value) {
        if withValue(of: key, { $0 = value }) != nil { return }
        let index = Int32(slots.count)
        slots.append(Slot(key: key, value: value))
        indices[key] = index
        link(index)
    }

    @discardableResult
    @inlinable public mutating func remove(_ key: Key) -> Value? {
        guard let index = indices.removeValue(forKey: key) else { return nil }
        unlink(index)
        // The last slot moves into the gap, so that no slot is empty.
        let last = slots.removeLast()
        guard Int(index) < slots.count else { return last.value }
        let value = slots[Int(index)].value
        slots[Int(index)] = last
        indices[last.key] = index
        if last.older >= 0 { slots[Int(last.older)].newer = index } else { oldest = index }
        if last.newer >= 0 { slots[Int(last.newer)].older = index } else { newest = index }
        return value
    }

    @inlinable public var leastRecentlyUsed: (key: Key, value: Value)? {
        oldest < 0 ? nil : (slots[Int(oldest)].key, slots[Int(oldest)].value)
    }

    /// Calls `body` for each key and value, in any order.
    @inlinable public func forEachPair(_ body: (Key, Value) -> Void) {
        for slot in slots { body(slot.key, slot.value) }
    }

    /// Calls `body` for the next values, at most `count` of them. If values are removed between two calls, other values
    /// can be visited twice.
    /// - Parameter end: the result of the previous call; `.max` for the first call.
    /// - Returns: the `end` of the next call; 0 after the last value.
    func visit(below end: Int, atMost count: Int, _ body: (Value) -> Void) -> Int {
        let end = min(end, slots.count)
        let first = max(0, end - count)
        for index in (first..<end).reversed() { body(slots[index].value) }
        return first
    }

    @inlinable func forEach(_ body: (Value) -> Void) {
        for slot in slots { body(slot.value) }
    }

    @inlinable mutating func link(_ index: Int32) {
        slots[Int(index)].older = newest
        slots[Int(index)].newer = -1
        if newest >= 0 { slots[Int(newest)].newer = index } else { oldest = index }
        newest = index
    }

    @inlinable mutating func unlink(_ index: Int32) {
        // Copying the slot would count references to its value.
        let older = slots[Int(index)].older
        let newer = slots[Int(index)].newer
        if older >= 0 { slots[Int(older)].newer = newer } else { oldest = newer }
        if newer >= 0 { slots[Int(newer)].older = older } else { newest = older }
    }
}
