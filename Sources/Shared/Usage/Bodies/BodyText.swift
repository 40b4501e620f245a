import Engine

/// Converts bodies to the texts in usage records: shortened, without media, and with masked secrets.
package struct BodyText {
    private let limitBytes: Int
    /// The values that are masked wherever they occur in a body.
    private let secrets: [String]
    /// The number of bytes that are read beyond the length limit, so that a secret at the limit is recognized and
    /// masked.
    private static let slackBytes = 512
    private static let mediaBytes = 256

    /// Creates a value that shortens bodies and masks secrets. Secrets shorter than 8 bytes are ignored.
    package init(limitBytes: Int, hiding secrets: [String]) {
        self.limitBytes = limitBytes
        self.secrets = secrets.filter { $0.utf8.count >= 8 }
    }

    /// Returns the text that a usage record keeps of a body. The body can be JSON or any other text.
    package func text(of body: UnsafeRawBufferPointer) -> String {
        var out: [UInt8] = []
        var strings = JSONStrings(body)
        var (position, isSecret) = (0, false)
        while out.count < limitBytes + Self.slackBytes, let string = strings.next() {
            let content = body[part: string.content.lowerBound..<string.content.upperBound]
            append(body[part: position..<string.content.lowerBound], to: &out)
            position = string.content.upperBound
            if string.isName {
                isSecret = SecretShapes.isName(content)
                append(content, to: &out)
            } else if let media = Self.media(content) {
                out += media.utf8
            } else if isSecret, !content.isEmpty {
                out += SecretShapes.mask.utf8
            } else {
                append(content, to: &out)
            }
        }
        append(body[part: position..<body.count], to: &out)
        return finished(out)
    }

    /// Returns the text that a usage record keeps of a body. Does not search the body for media.
    func text(plain body: [UInt8]) -> String { finished(body) }

    /// Returns the text that replaces a binary body or an encoded file, such as `[image/png, 1200 bytes]`.
    package static func placeholder(type: String, bytes: Int) -> String { "[\(type), \(bytes) bytes]" }

    private func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let room = limitBytes + Self.slackBytes - out.count
        if room > 0 { out.append(contentsOf: bytes.prefix(room)) }
    }

    private func finished(_ bytes: [UInt8]) -> String {
        var text = bytes
        SecretShapes.mask(in: &text, secrets)
        guard text.count > limitBytes else { return String(decoding: text, as: UTF8.self) }
        return String(decoding: text, as: UTF8.self).beginning(ofBytes: limitBytes)
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
    private static func isEncoded(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "-"),
            UInt8(ascii: "_"), UInt8(ascii: "\\"):
            true
        default: false
        }
    }
}
