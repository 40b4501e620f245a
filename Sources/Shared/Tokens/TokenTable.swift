/// The tokens of one vocabulary with their ranks, in the memory of a `TokenFile`. A token's rank is its id.
///
/// `@unchecked`: the pointers only refer to read-only memory, which `TokenFile` keeps alive.
package struct TokenTable: @unchecked Sendable {
    /// The slots of the hash table of tokens. A slot has a token's rank in the lower 18 bits, and a part of the token's
    /// hash in the others. An empty slot has all bits set.
    private let slots: UnsafePointer<UInt32>
    private let slotMask: Int
    /// The offset at which each token begins in the tokens' bytes, by rank. The last element is the end of the last
    /// token.
    private let starts: UnsafePointer<UInt32>
    private let tokens: UInt32
    private let bytes: UnsafeRawPointer
    private let byteCount: UInt32
    /// The rank of each two-byte token; `noRank` if there is none. The first byte is in the lower 8 bits of the index.
    private let pairs: UnsafePointer<UInt32>
    let longest: Int
    private let keeper: TokenFile.Mapping

    /// The value that stands for "no rank": the bytes are not a token.
    package static let noRank = UInt32.max
    static let rankBits = 18
    private static let rankMask: UInt32 = 1 << rankBits - 1

    init(_ layout: TokenFileHeader.Vocabulary, in mapping: TokenFile.Mapping) {
        let base = mapping.base
        slots = (base + layout.slots).assumingMemoryBound(to: UInt32.self)
        slotMask = 1 << layout.slotBits - 1
        starts = (base + layout.starts).assumingMemoryBound(to: UInt32.self)
        tokens = UInt32(layout.tokens)
        bytes = base + layout.bytes
        byteCount = UInt32(layout.byteCount)
        pairs = (base + layout.pairs).assumingMemoryBound(to: UInt32.self)
        longest = layout.longest
        keeper = mapping
    }

    func bytes(ofRank rank: Int) -> UnsafeRawBufferPointer? {
        guard rank >= 0, rank < tokens else { return nil }
        let (start, end) = (starts[rank], starts[rank + 1])
        guard end > start, end <= byteCount else { return nil }
        return UnsafeRawBufferPointer(start: bytes + Int(start), count: Int(end - start))
    }

    /// Returns the rank of a two-byte token; `noRank` if these bytes are not a token.
    @inline(__always)
    func rank(_ first: UInt8, _ second: UInt8) -> UInt32 { pairs[Int(first) | Int(second) << 8] }

    /// Returns the rank of the token that the first `count` bytes form; `noRank` if they form no token. The count must
    /// be at least 1.
    @inline(__always)
    func rank(_ text: UnsafeRawPointer, _ count: Int) -> UInt32 {
        if count > longest { return Self.noRank }
        let hash = Self.hash(text, count)
        let tag = Self.tag(hash)
        var index = Int(truncatingIfNeeded: hash) & slotMask
        // A valid table has an empty slot, but a damaged file must not cause an endless loop.
        for _ in 0...slotMask {
            let slot = slots[index]
            if slot == Self.noRank { return Self.noRank }
            if slot & ~Self.rankMask == tag {
                let rank = slot & Self.rankMask
                if isToken(rank, text, count: count) { return rank }
            }
            index = (index + 1) & slotMask
        }
        return Self.noRank
    }

    @inline(__always)
    private func isToken(_ rank: UInt32, _ text: UnsafeRawPointer, count: Int) -> Bool {
        guard rank < tokens else { return false }
        let (start, end) = (starts[Int(rank)], starts[Int(rank) + 1])
        guard end >= start, end <= byteCount, Int(end - start) == count else { return false }
        return Self.areEqual(bytes + Int(start), text, count: count)
    }

    @inline(__always)
    private static func areEqual(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer, count: Int) -> Bool {
        if count < 8 {
            for offset in 0..<count
            where one.load(fromByteOffset: offset, as: UInt8.self)
                != other.load(fromByteOffset: offset, as: UInt8.self)
            { return false }
            return true
        }
        var offset = 0
        while offset < count - 8 {
            if word(one, offset) != word(other, offset) { return false }
            offset += 8
        }
        return word(one, count - 8) == word(other, count - 8)
    }

    @inline(__always)
    private static func word(_ text: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// Returns the part of a token's hash that a slot contains: its upper 14 bits. The lower 18 bits of the result are
    /// 0.
    @inline(__always)
    package static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash >> 32) & ~rankMask }

    /// Returns the hash of the first `count` bytes of `text`. The count must be at least 1.
    @inline(__always)
    package static func hash(_ text: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
        if count >= 8 {
            var offset = 0
            while offset < count - 8 {
                hash = mixed(hash ^ word(text, offset))
                offset += 8
            }
            return mixed(hash ^ word(text, count - 8))
        }
        var word: UInt64
        if count >= 4 {
            word = UInt64(text.loadUnaligned(as: UInt32.self))
            word |= UInt64(text.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)) << 32
        } else {
            word = UInt64(text.load(as: UInt8.self))
            word |= UInt64(text.load(fromByteOffset: count >> 1, as: UInt8.self)) << 8
            word |= UInt64(text.load(fromByteOffset: count - 1, as: UInt8.self)) << 16
        }
        return mixed(hash ^ word)
    }

    @inline(__always)
    private static func mixed(_ word: UInt64) -> UInt64 {
        let product = word.multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }
}
