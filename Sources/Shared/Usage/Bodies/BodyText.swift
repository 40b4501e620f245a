import Engine

/// Converts bodies to the texts in usage records: shortened, without media, and with masked secrets.
package struct BodyText: Sendable {
    /// The largest number of bytes of a text in a usage record.
    package let limitBytes: Int
    /// The finders of the values that are masked wherever they occur in a body.
    private var secrets: [SecretFinder]
    /// The number of bytes that are read beyond the length limit, in place of those that masks remove.
    private static let slackBytes = 4_096
    private static let mediaBytes = 256

    package init(limitBytes: Int, hiding secrets: SecretFinder) {
        self.limitBytes = limitBytes
        self.secrets = [secrets]
    }

    /// Returns a copy that masks this secret, too.
    package func hiding(_ secret: String) -> BodyText {
        var copy = self
        copy.secrets.append(SecretFinder([secret]))
        return copy
    }

    /// The number of bytes after which a text is long enough for `masked`.
    var excerptBytes: Int { limitBytes + Self.slackBytes }

    /// Returns the beginning of a body without media. The body can be JSON or any other text.
    package func excerpt(of body: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = []
        var strings = JSONStrings(body)
        var position = 0
        while out.count < excerptBytes, let string = strings.next() {
            let content = body[part: string.content.lowerBound..<string.content.upperBound]
            append(body[part: position..<string.content.lowerBound], to: &out)
            position = string.content.upperBound
            if !string.isName, let media = Self.media(content) { out += media.utf8 } else { append(content, to: &out) }
        }
        append(body[part: position..<body.count], to: &out)
        return out
    }

    /// Returns the text that a usage record keeps of an excerpt. It takes long if the excerpt is long.
    /// - Parameter ending: a text that follows if there is room.
    package func masked(_ excerpt: [UInt8], ending: StaticString = "") -> String {
        let text = String(decoding: SecretMasker.masked(excerpt, secrets), as: UTF8.self)
        let hasRoom = text.utf8.count + ending.utf8CodeUnitCount <= limitBytes
        return hasRoom ? text + "\(ending)" : text.beginning(ofBytes: limitBytes)
    }

    /// Returns the text that replaces a binary body or an encoded file, such as `[image/png, 1200 bytes]`.
    package static func placeholder(type: String, bytes: Int) -> String { "[\(type), \(bytes) bytes]" }

    private func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let room = excerptBytes - out.count
        if room > 0 { out.append(contentsOf: bytes.prefix(room)) }
    }

    /// Returns the placeholder for a JSON string with encoded media; nil if the string is ordinary text.
    private static func media(_ content: UnsafeRawBufferPointer) -> String? {
        guard content.count >= mediaBytes else { return nil }
        var (type, start) = ("encoded", 0)
        if content.starts(with: "data:".utf8) {
            guard let comma = content.prefix(200).firstIndex(of: UInt8(ascii: ",")) else { return nil }
            let head = content[5..<comma].prefix { $0 != UInt8(ascii: ";") }
            type = String(decoding: head, as: UTF8.self)
            start = comma + 1
        }
        let encoded = content[start...]
        guard encoded.prefix(mediaBytes).allSatisfy(isEncoded), encoded.suffix(mediaBytes).allSatisfy(isEncoded) else {
            return nil
        }
        return placeholder(type: type, bytes: encoded.count / 4 * 3)
    }

    /// Returns whether a byte can occur in a JSON string of base64, including an escaped line end.
    private static func isEncoded(_ byte: UInt8) -> Bool { byte.isLetterOrDigit(or: "+/=-_\\") }
}
