import Engine
import Shared

/// The class of each code point, as blocks of which each is kept once.
struct CharacterTable {
    private(set) var index: [UInt16] = []
    private(set) var blocks: [[UInt8]] = []

    /// `text`: lines "first last category", code points in hexadecimal.
    init(_ text: [UInt8]) {
        let digest = text.withUnsafeBytes { Digest(of: $0) }.base64url(characters: 43)
        guard digest == Self.digest else { fail("classes.txt is not the one that was checked: \(digest)") }
        var classes = [UInt8](repeating: 0, count: CharacterClasses.indexCount * CharacterClasses.blockSize)
        for line in text.split(separator: 10) {
            let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 3, let first = Int(words[0], radix: 16), let last = Int(words[1], radix: 16),
                first <= last, last < classes.count
            else { fail("classes.txt: a line is not understood") }
            for point in first...last { classes[point] = Self.classes(words[2]) }
        }
        for newline in [10, 13] { classes[newline] |= CharacterClasses.newline }
        var known: [[UInt8]: UInt16] = [:]
        for start in stride(from: 0, to: classes.count, by: CharacterClasses.blockSize) {
            let block = Array(classes[start..<(start + CharacterClasses.blockSize)])
            if known[block] == nil {
                known[block] = UInt16(blocks.count)
                blocks.append(block)
            }
            index.append(known[block] ?? 0)
        }
    }

    /// SHA-256, base64url.
    private static let digest = "9ucdUticyBCbK1tFlA2Vuf5eJd-z1L6Alx4LLSQHRvs"

    private static func classes(_ category: String) -> UInt8 {
        switch category {
        case "Lu", "Lt": CharacterClasses.letter | CharacterClasses.upper
        case "Ll": CharacterClasses.letter | CharacterClasses.lower
        case "Lm", "Lo": CharacterClasses.letter | CharacterClasses.upper | CharacterClasses.lower
        case "M": CharacterClasses.upper | CharacterClasses.lower
        case "N": CharacterClasses.number
        case "S": CharacterClasses.space
        default: fail("classes.txt: unknown category \(category)")
        }
    }
}
