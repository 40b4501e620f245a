/// The number of tokens of a piece: byte-pair encoding, that is, of all neighbours whose joined bytes are a token, those of
/// the lowest rank are joined, the leftmost first, until none are left.
///
/// Three ways that give the same number: up to 128 bytes by a list and a search of its minimum; beyond by a heap; from
/// 768 bytes on by windows, so that neither time nor memory grows faster than the text.
struct PieceMerge {
    let table: TokenTable

    private static let shortBytes = 128
    private static let windowBytes = 768

    /// Of at least one byte.
    @inline(__always)
    func count(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        if count == 1 || table.rank(text, count) != TokenTable.noRank { return 1 }
        if count <= Self.shortBytes { return short(text, count) }
        return long(text, count)
    }

    /// `text` is no token. A key is the rank of a part joined with the next one, and below it the place of its first
    /// byte; parts are known by that.
    private func short(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.shortBytes) { keys in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * Self.shortBytes) { links in
                guard let keys = keys.baseAddress, let nexts = links.baseAddress else { return count }
                return short(text, count, keys, nexts, nexts + Self.shortBytes)
            }
        }
    }

    @inline(__always)
    private func short(
        _ text: UnsafePointer<UInt8>,
        _ count: Int,
        _ keys: UnsafeMutablePointer<UInt32>,
        _ nexts: UnsafeMutablePointer<UInt8>,
        _ befores: UnsafeMutablePointer<UInt8>
    ) -> Int {
        for place in 0..<(count - 1) {
            let rank = table.rank(text[place], text[place + 1])
            keys[place] = Self.key(rank, place)
            nexts[place] = UInt8(place + 1)
            befores[place] = UInt8(truncatingIfNeeded: place &- 1)
        }
        keys[count - 1] = TokenTable.noRank
        nexts[count - 1] = UInt8(count)
        befores[count - 1] = UInt8(count - 2)
        var parts = count
        while true {
            var least = TokenTable.noRank
            for place in 0..<count { least = min(least, keys[place]) }
            if least == TokenTable.noRank { return parts }
            parts -= 1
            let place = Int(least & 127)
            let gone = Int(nexts[place])
            let next = Int(nexts[gone])
            keys[gone] = TokenTable.noRank
            nexts[place] = UInt8(next)
            if next < count {
                befores[next] = UInt8(place)
                keys[place] = Self.key(table.rank(text + place, Int(nexts[next]) - place), place)
            } else {
                keys[place] = TokenTable.noRank
            }
            if place > 0 {
                let before = Int(befores[place])
                keys[before] = Self.key(table.rank(text + before, next - before), before)
            }
        }
    }

    @inline(__always)
    private static func key(_ rank: UInt32, _ place: Int) -> UInt32 {
        rank == TokenTable.noRank ? rank : rank << 7 | UInt32(truncatingIfNeeded: place)
    }

    /// By windows. The parts of a window that the text goes on after are final up to a border, if a second window that
    /// begins there has a first part that does not change the part before: the two, joined and merged anew, must be the
    /// same two. (Merges are in order of rank, so what happens within parts that nothing crosses does not depend on the
    /// rest.)
    private func long(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var size = Self.windowBytes
        var total = 0
        var from = 0
        var room = MergeRoom(min(size, count))
        var following = MergeRoom(min(size, count))
        merge(text, min(size, count), &room)
        while from + room.bytes < count {
            var border = room.parts
            while border > 1, room.bytes - room.end(border - 1) < table.longest { border -= 1 }
            var isFound = false
            for _ in 0..<8 where border > 0 && !isFound {
                let place = room.end(border - 1)
                merge(text + from + place, min(size, count - from - place), &following)
                let start = border > 1 ? room.end(border - 2) : 0
                isFound = staysApart(text + from + start, place - start, following.end(0))
                if isFound {
                    total += border
                    from += place
                } else {
                    border -= 1
                }
            }
            if isFound {
                swap(&room, &following)
            } else {
                size *= 2
                room = MergeRoom(min(size, count - from))
                following = MergeRoom(min(size, count - from))
                merge(text + from, min(size, count - from), &room)
            }
        }
        return total + room.parts
    }

    /// Two parts stay as they are when merged anew.
    private func staysApart(_ text: UnsafePointer<UInt8>, _ first: Int, _ second: Int) -> Bool {
        var room = MergeRoom(first + second)
        merge(text, first + second, &room)
        return room.parts == 2 && room.end(0) == first
    }

    /// Merges `count` bytes by a heap of (rank, place), of which those that no longer hold are skipped.
    private func merge(_ text: UnsafePointer<UInt8>, _ count: Int, _ room: inout MergeRoom) {
        room.begin(count)
        for place in 0..<(count - 1) { room.add(table.rank(text[place], text[place + 1]), place) }
        while let place = room.takeLeast() {
            let next = room.join(place)
            if next < count { room.add(table.rank(text + place, room.next(next) - place), place) }
            if place > 0 {
                let before = room.before(place)
                room.add(table.rank(text + before, next - before), before)
            }
        }
        room.finish()
    }
}
