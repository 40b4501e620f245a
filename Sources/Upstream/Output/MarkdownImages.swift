import Engine

/// Writes generated images into the text of a response: as Markdown images with their URLs.
struct MarkdownImages {
    private var count = 0

    /// Returns the text before the URL of the next image. `closing` follows the URL, which may be too long to copy.
    mutating func opening() -> ByteBuffer {
        count += 1
        var text = ByteBuffer()
        text.append(count == 1 ? "![Image " : "\n![Image ", decimal: count)
        text.append("](")
        return text
    }

    static var closing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(")") }
}
