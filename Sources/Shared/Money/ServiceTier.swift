/// A service tier or speed of a vendor beside the plain one, by the vendor's word, such as `flex` or `priority`.
package struct ServiceTier: Sendable, Hashable {
    /// The bytes of the word, with zeros behind them: without a reference, copies are cheap.
    private var word: Word

    private struct Word: Sendable, Hashable {
        private var (first, second, third, fourth) = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    }

    package static let flex = ServiceTier("flex")
    package static let fast = ServiceTier("fast")
    private static let batch = ServiceTier("batch")

    /// The words for the plain tier in requests and responses.
    private static let plain: [StaticString] = ["default", "auto", "standard", "standard_only", "on_demand", "global"]
    private static let wordLimitBytes = MemoryLayout<Word>.size

    private init(_ text: String) {
        word = Word()
        withUnsafeMutableBytes(of: &word) { $0.copyBytes(from: text.utf8) }
    }

    package var rawValue: String {
        withUnsafeBytes(of: word) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Creates a tier from a word of settings, a request or a response; nil if it stands for the plain tier, or is no word.
    package init?(word: UnsafeRawBufferPointer) {
        func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 32) }
        guard (1...Self.wordLimitBytes).contains(word.count), !Self.isPlain(word), isLetter(word[0]),
            word.allSatisfy({ isLetter($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 })
        else { return nil }
        self.init(String(decoding: word, as: UTF8.self).lowercased())
    }

    package init?(word: String) {
        guard let tier = Self.withBytes(of: word, { ServiceTier(word: $0) }) else { return nil }
        self = tier
    }

    private static func isPlain(_ word: UnsafeRawBufferPointer) -> Bool {
        plain.contains { $0.utf8CodeUnitCount == word.count && $0.withUTF8Buffer { $0.elementsEqual(word) } }
    }

    package static func isPlain(_ word: String) -> Bool { withBytes(of: word, isPlain) }

    private static func withBytes<Result>(of word: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var word = word
        return word.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }

    /// Whether the tier is cheaper than the plain one by its word.
    var isCheaper: Bool { self == .flex || self == .batch }
}
