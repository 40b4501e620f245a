import Engine

/// `data:image/png;base64,…` (RFC 2397). What it says of its type is not believed.
package struct DataURL {
    /// Its content, still in base64; nil: another form. Part of the text that was given.
    package let base64: UnsafeRawBufferPointer?

    private static let headLimitBytes = 256

    /// Nil: another kind of URL.
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
