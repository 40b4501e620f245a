import Engine
import Shared

/// A token file in the making.
struct TokenImage {
    private var bytes = [UInt8](repeating: 0, count: TokenFileHeader.byteCount)
    private var header: TokenFileHeader

    init(_ classes: CharacterTable) {
        header = bytes.withUnsafeBytes { TokenFileHeader(digest: Digest(of: $0)) }
        header.classIndex = begin()
        for block in classes.index { add(block) }
        for block in classes.blocks { bytes += block }
        header.classBlocks = classes.blocks.count
    }

    mutating func add(_ list: RankList) {
        var layout = TokenFileHeader.Vocabulary()
        layout.tokens = list.count
        layout.slotBits = 1
        // At most half full.
        while 1 << layout.slotBits < 2 * list.count { layout.slotBits += 1 }
        layout.slots = begin()
        for slot in Self.slots(list, bits: layout.slotBits) { add(slot) }
        layout.starts = begin()
        for start in list.starts { add(UInt32(start)) }
        layout.bytes = begin()
        layout.byteCount = list.bytes.count
        bytes += list.bytes
        layout.pairs = begin()
        for rank in Self.pairs(list) { add(rank) }
        layout.longest = (0..<list.count).reduce(0) { max($0, list.starts[$1 + 1] - list.starts[$1]) }
        header.vocabularies.append(layout)
    }

    /// The whole file.
    mutating func finished() -> [UInt8] {
        header.fileSize = bytes.count
        header.digest = bytes.withUnsafeBytes { Digest(of: $0[part: TokenFileHeader.byteCount..<$0.count]) }
        bytes.replaceSubrange(0..<TokenFileHeader.byteCount, with: header.bytes)
        return bytes
    }

    /// The place of what comes next.
    private mutating func begin() -> Int {
        while bytes.count % 8 != 0 { bytes.append(0) }
        return bytes.count
    }

    private mutating func add(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func slots(_ list: RankList, bits: Int) -> [UInt32] {
        var slots = [UInt32](repeating: TokenTable.noRank, count: 1 << bits)
        list.bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for rank in 0..<list.count {
                let (start, end) = (list.starts[rank], list.starts[rank + 1])
                let hash = TokenTable.hash(base + start, end - start)
                var place = Int(truncatingIfNeeded: hash) & (slots.count - 1)
                while slots[place] != TokenTable.noRank { place = (place + 1) & (slots.count - 1) }
                slots[place] = TokenTable.tag(hash) | UInt32(rank)
            }
        }
        return slots
    }

    private static func pairs(_ list: RankList) -> [UInt32] {
        var pairs = [UInt32](repeating: TokenTable.noRank, count: 65_536)
        var singles = Set<UInt8>()
        for rank in 0..<list.count {
            let token = list.bytes[list.starts[rank]..<list.starts[rank + 1]]
            if token.count == 1 { singles.formUnion(token) }
            if token.count == 2 {
                pairs[Int(token[token.startIndex]) | Int(token[token.startIndex + 1]) << 8] = UInt32(rank)
            }
        }
        guard singles.count == 256 else { fail("\(list.name.rawValue): a byte is no token") }
        return pairs
    }
}
