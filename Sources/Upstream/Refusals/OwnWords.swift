import Engine
import Glibc

/// The words of a vendor's message that are its own, without texts that it repeats of the request.
///
/// Left out are the request's texts of several words up to 64 bytes, parts of longer ones from 24 bytes on, and quotes
/// of several words that the request contains.
struct OwnWords {
    /// The vendor's own words; empty if not all of the request could be compared.
    let text: String

    private static let maxQuotes = 64

    init(_ message: String, without request: RefusedRequest) {
        let written = Array(message.utf8)
        var echo = EchoFinder(written)
        var phrases: Set<[UInt8]> = []
        // The strings of the request, with gaps between them.
        var strings: [UInt8] = []
        func compare(_ string: UnsafeRawBufferPointer) {
            let string = echo.compare(string)
            if string.count <= ComparedText.phraseBytes, string.contains(32) { phrases.insert(string) }
            strings += string + [RefusalWords.gap]
        }
        for string in request.others { string.withBytes(compare) }
        if let body = request.body {
            for string in RequestStrings(body.bytes) where !Self.isWord(string.content) { compare(string.content) }
        }
        guard echo.isComplete else {
            text = ""
            return
        }
        echo.isEcho.mark(echo.message.places(of: phrases))
        strings.append(0)
        for quote in Self.quotes(in: echo.message.bytes)
        where Self.contains(strings, echo.message.bytes[quote].dropFirst()) {
            echo.isEcho.mark([echo.message.written(quote)])
        }
        text = String(decoding: zip(written, echo.isEcho).map { $1 ? RefusalWords.gap : $0 }, as: UTF8.self)
    }

    /// Returns whether a string is long but has only one word, such as an image, and repeats no words.
    private static func isWord(_ string: UnsafeRawBufferPointer) -> Bool {
        string.count > ComparedText.phraseBytes && string.first(32) == nil && string.first(UInt8(ascii: "\\")) == nil
    }

    /// Returns the ranges from each quotation mark up to the next one of the same kind, which may be a quote.
    private static func quotes(in said: [UInt8]) -> [Range<Int>] {
        said.indices.lazy.filter { "\"'`".utf8.contains(said[$0]) }.prefix(maxQuotes).compactMap { start in
            let inner = said[(start + 1)...]
            var end = inner.firstIndex(of: said[start]) ?? said.count
            // A long text may have been shortened.
            while end > start + 1, said[end - 1] == UInt8(ascii: ".") { end -= 1 }
            // Single words, such as names of fields, mean nothing alone.
            return said[(start + 1)..<max(start + 1, end)].contains(32) ? start..<end : nil
        }
    }

    /// Returns whether one of the strings, after which a zero byte follows, contains a text.
    private static func contains(_ strings: [UInt8], _ text: ArraySlice<UInt8>) -> Bool {
        // Neither has a zero byte before its end.
        (text + [0]).withUnsafeBytes { text in
            strings.withUnsafeBytes { strings in
                guard let strings = strings.baseAddress, let text = text.baseAddress else { return false }
                return strstr(strings.assumingMemoryBound(to: CChar.self), text.assumingMemoryBound(to: CChar.self))
                    != nil
            }
        }
    }
}
