/// A counter of the tokens in one piece of text, by byte-pair encoding.
///
/// The method depends on the length of the piece, but the result does not.
struct PieceMerge {
    let table: TokenTable

    private static let shortBytes = 128
    private static let windowBytes = 768

    /// Returns the number of tokens in a piece of text of at least one byte.
    @inline(__always)
    func count(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        if count == 1 || table.rank(text, count) != TokenTable.noRank { return 1 }
        if count <= Self.shortBytes { return short(text, count) }
        return long(text, count)
    }

    /// Returns the number of tokens in a piece of at most 128 bytes that is not a token itself.
    ///
    /// Each two neighboring parts of the piece get a key. Its upper bits are the rank of the joined parts, and its
    /// lower 7 bits are the offset of the first part.
    private func short(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.shortBytes) { keys in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * Self.shortBytes) { links in
                guard let keys = keys.baseAddress, let nexts = links.baseAddress else { return count }
                return short(text, count, keys: keys, nexts: nexts, befores: nexts + Self.shortBytes)
            }
        }
    }

    @inline(__always)
    private func short(
        _ text: UnsafePointer<UInt8>,
        _ count: Int,
        keys: UnsafeMutablePointer<UInt32>,
        nexts: UnsafeMutablePointer<UInt8>,
        befores: UnsafeMutablePointer<UInt8>
    ) -> Int {
        for offset in 0..<(count - 1) {
            let rank = table.rank(text[offset], text[offset + 1])
            keys[offset] = Self.key(rank, offset)
            nexts[offset] = UInt8(offset + 1)
            befores[offset] = UInt8(truncatingIfNeeded: offset &- 1)
        }
        keys[count - 1] = TokenTable.noRank
        nexts[count - 1] = UInt8(count)
        befores[count - 1] = UInt8(count - 2)
        var parts = count
        while true {
            var least = TokenTable.noRank
            for offset in 0..<count { least = min(least, keys[offset]) }
            if least == TokenTable.noRank { return parts }
            parts -= 1
            let offset = Int(least & 127)
            let gone = Int(nexts[offset])
            let next = Int(nexts[gone])
            keys[gone] = TokenTable.noRank
            nexts[offset] = UInt8(next)
            if next < count {
                befores[next] = UInt8(offset)
                keys[offset] = Self.key(table.rank(text + offset, Int(nexts[next]) - offset), offset)
            } else {
                keys[offset] = TokenTable.noRank
            }
            if offset > 0 {
                let before = Int(befores[offset])
                keys[before] = Self.key(table.rank(text + before, next - before), before)
            }
        }
    }

    @inline(__always)
    private static func key(_ rank: UInt32, _ offset: Int) -> UInt32 {
        rank == TokenTable.noRank ? rank : rank << 7 | UInt32(truncatingIfNeeded: offset)
    }

    /// Returns the number of tokens in a long piece, counted in overlapping windows.
    ///
    /// Each window begins where a token of the previous window ends. Such a border is valid only if the tokens before
    /// and after it stay separate when byte-pair encoding gets their bytes together.
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
                let end = room.end(border - 1)
                merge(text + from + end, min(size, count - from - end), &following)
                let start = border > 1 ? room.end(border - 2) : 0
                isFound = staysApart(text + from + start, end - start, following.end(0))
                if isFound {
                    total += border
                    from += end
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

    /// Returns whether byte-pair encoding of the first `first + second` bytes gives two tokens, of `first` and `second`
    /// bytes.
    private func staysApart(_ text: UnsafePointer<UInt8>, _ first: Int, _ second: Int) -> Bool {
        var room = MergeRoom(first + second)
        merge(text, first + second, &room)
        return room.parts == 2 && room.end(0) == first
    }

    /// Splits the first `count` bytes of a text into tokens by byte-pair encoding. The tokens are then the parts in
    /// `room`.
    private func merge(_ text: UnsafePointer<UInt8>, _ count: Int, _ room: inout MergeRoom) {
        room.begin(count)
        for offset in 0..<(count - 1) { room.add(table.rank(text[offset], text[offset + 1]), offset) }
        while let offset = room.removeLeast() {
            let next = room.join(offset)
            if next < count { room.add(table.rank(text + offset, room.next(next) - offset), offset) }
            if offset > 0 {
                let before = room.before(offset)
                room.add(table.rank(text + before, next - before), before)
            }
        }
        room.finish()
    }
}
