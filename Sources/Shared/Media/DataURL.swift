import Engine

/// A data URL such as `data:image/png;base64,…` (RFC 2397). The media type in the URL is ignored.
package struct DataURL {
    /// The base64 content, as a slice of the parsed text; nil if the URL is not in base64.
    package let base64: UnsafeRawBufferPointer?

    private static let headLimitBytes = 256

    /// Parses a data URL. Returns nil if the text is another kind of URL.
    package init?(_ text: UnsafeRawBufferPointer) {
        guard text.count >= 5, text[part: 0..<5].equalsLowered("data:") else { return nil }
        let head = text[part: 5..<min(text.count, Self.headLimitBytes)]
        guard let comma = head.first(UInt8(ascii: ",")), comma >= 7,
            head[part: (comma - 7)..<comma].equalsLowered(";base64")
        else {
            base64 = nil
            return
        }
        base64 = text[part: (5 + comma + 1)..<text.count]
    }
}
