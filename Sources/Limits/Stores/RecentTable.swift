/// A table that knows its least recently used entry.
///
/// Public, because only public code is specialised in another target; `@inlinable package` is not (Swift 6.3).
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

    @usableFromInline var places: [Key: Int32] = [:]
    @usableFromInline var slots: [Slot] = []
    @usableFromInline var newest: Int32 = -1
    @usableFromInline var oldest: Int32 = -1

    @inlinable public var count: Int { places.count }
    @inlinable var isEmpty: Bool { places.isEmpty }

    @inlinable public init() {}

    /// Returns the value and marks it as the most recently used; nil if absent.
    @inlinable public mutating func use(_ key: Key) -> Value? {
        // This is often the most recently used entry, which is found without hashing.
        if newest >= 0, slots[Int(newest)].key == key { return slots[Int(newest)].value }
        guard let place = places[key] else { return nil }
        unlink(place)
        link(place)
        return slots[Int(place)].value
    }

    /// Adds or replaces a value, and then removes least recently used entries beyond `bound`.
    @inlinable public mutating func set(_ key: Key, _ value: Value, atMost bound: Int) {
        set(key, value)
        while count > bound, let old = leastRecent { remove(old.key) }
    }

    /// Adds or replaces a value, and marks it as the most recently used.
    @inlinable public mutating func set(_ key: Key, _ value: Value) {
        if use(key) != nil {
            slots[Int(newest)].value = value
            return
        }
        let place = Int32(slots.count)
        slots.append(Slot(key: key, value: value))
        places[key] = place
        link(place)
    }

    @discardableResult
    @inlinable public mutating func remove(_ key: Key) -> Value? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        unlink(place)
        // The last slot moves into the gap, so that no slot is empty.
        let last = slots.removeLast()
        guard Int(place) < slots.count else { return last.value }
        let value = slots[Int(place)].value
        slots[Int(place)] = last
        places[last.key] = place
        if last.older >= 0 { slots[Int(last.older)].newer = place } else { oldest = place }
        if last.newer >= 0 { slots[Int(last.newer)].older = place } else { newest = place }
        return value
    }

    @inlinable public var leastRecent: (key: Key, value: Value)? {
        oldest < 0 ? nil : (slots[Int(oldest)].key, slots[Int(oldest)].value)
    }

    /// Calls `body` for each key and value, in any order.
    @inlinable public func forEachPair(_ body: (Key, Value) -> Void) {
        for slot in slots { body(slot.key, slot.value) }
    }

    /// Calls `body` for at most `count` values at the positions below `end`, the last position first. A value that is added
    /// or moved between two calls is at a position that was visited, or is visited once more.
    ///
    /// - Returns: the `end` of the next call; 0 after the last value.
    func visit(below end: Int, atMost count: Int, _ body: (Value) -> Void) -> Int {
        let end = min(end, slots.count)
        let first = max(0, end - count)
        for position in (first..<end).reversed() { body(slots[position].value) }
        return first
    }

    @inlinable func forEach(_ body: (Value) -> Void) {
        for slot in slots { body(slot.value) }
    }

    @inlinable mutating func link(_ place: Int32) {
        slots[Int(place)].older = newest
        slots[Int(place)].newer = -1
        if newest >= 0 { slots[Int(newest)].newer = place } else { oldest = place }
        newest = place
    }

    @inlinable mutating func unlink(_ place: Int32) {
        // Copying the slot would count references to its value.
        let older = slots[Int(place)].older
        let newer = slots[Int(place)].newer
        if older >= 0 { slots[Int(older)].newer = newer } else { oldest = newer }
        if newer >= 0 { slots[Int(newer)].older = older } else { newest = older }
    }
}
