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
        var offset = 0
        while out.count < excerptBytes, let string = strings.next() {
            let content = body[part: string.content.lowerBound..<string.content.upperBound]
            append(body[part: offset..<string.content.lowerBound], to: &out)
            offset = string.content.upperBound
            if !string.isName, let media = Self.media(content) { out += media.utf8 } else { append(content, to: &out) }
        }
        append(body[part: offset..<body.count], to: &out)
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

/// A reader that finds the strings in a JSON text, one after the other. A text that is not JSON causes no error.
struct JSONStrings {
    struct FoundString {
        /// The range of the bytes between the quotes. Escape sequences are not decoded.
        let content: Range<Int>
        /// Whether the string is the name of a JSON member.
        let isName: Bool
    }

    private let bytes: UnsafeRawBufferPointer
    /// The offset up to which the text was read: that of the last string's closing quote.
    private(set) var offset = 0
    private var isInside = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Returns the next string; nil if there are no more strings.
    mutating func next() -> FoundString? {
        if isInside { offset += 1 }
        isInside = false
        guard let quote = bytes[part: offset..<bytes.count].first(34) else { return nil }
        let start = offset + quote + 1
        offset = JSONShape.endOfString(in: bytes, after: start)
        // The text may have been cut within the string.
        isInside = offset < bytes.count
        return FoundString(content: start..<offset, isName: isInside && isColon(after: offset))
    }

    private func isColon(after quote: Int) -> Bool {
        var next = quote + 1
        while next < bytes.count, [32, 9, 10, 13].contains(bytes[next]) { next += 1 }
        return next < bytes.count && bytes[next] == UInt8(ascii: ":")
    }
}

/// The generated text of an event stream, for usage records: `[{"content":"Hello"},{"arguments":"{}"}]`.
///
/// Consecutive texts of JSON members with the same name are joined.
package struct EventText {
    /// The names of the JSON members that contain generated text in the supported APIs.
    private static let names: [StaticString] = [
        "content", "text", "delta", "reasoning_content", "reasoning", "thinking", "refusal", "name", "arguments",
        "partial_json", "message",
    ]
    /// The endings of event types that bring no new text, such as `.completed` in `response.completed`.
    private static let repeating: [StaticString] = [".done", ".completed", ".in_progress", ".created", ".incomplete"]
    private static let lineLimitBytes = 65_536

    private let limitBytes: Int
    /// The generated text so far, without the end of its JSON.
    package private(set) var excerpt: [UInt8] = []
    /// The name of the JSON member whose text is being joined; empty before the first member.
    private var name: [UInt8] = []
    /// The beginning of a line whose end was not received yet.
    private var line: [UInt8] = []
    private var isLineDropped = false

    package init(_ text: BodyText) { limitBytes = text.excerptBytes }

    /// The end of the JSON whose beginning is `excerpt`.
    package var ending: StaticString { excerpt.isEmpty ? "[]" : "\"}]" }

    /// Consumes the next bytes of the event stream. They may end within a line.
    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while excerpt.count < limitBytes, !rest.isEmpty {
            let end = rest.firstIndex(of: 10)
            let part = rest[part: 0..<(end ?? rest.count)]
            if line.isEmpty, end != nil, !isLineDropped {
                add(line: part)
            } else {
                if line.count + part.count <= Self.lineLimitBytes { line += part } else { isLineDropped = true }
                guard end != nil else { return }
                let whole = isLineDropped ? [] : line
                (line, isLineDropped) = ([], false)
                whole.withUnsafeBytes { add(line: $0) }
            }
            rest = rest[part: (end ?? rest.count) + (end == nil ? 0 : 1)..<rest.count]
        }
    }

    private mutating func add(line: UnsafeRawBufferPointer) {
        guard line.starts(with: "data:".utf8) else { return }
        let event = line[part: 5..<line.count]
        var strings = JSONStrings(event)
        var (member, kind): (UnsafeRawBufferPointer?, UnsafeRawBufferPointer?) = (nil, nil)
        while let string = strings.next() {
            let content = event[part: string.content.lowerBound..<string.content.upperBound]
            if string.isName {
                member = content
                continue
            }
            guard let name = member else { continue }
            if kind == nil, name.equals("type") {
                kind = content
                if Self.repeating.contains(where: { content.ends(with: $0) }) { return }
            }
            if !content.isEmpty, Self.names.contains(where: name.equals) { append(content, name) }
            member = nil
        }
    }

    private mutating func append(_ content: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) {
        if !self.name.elementsEqual(name) {
            self.name = Array(name)
            excerpt += (excerpt.isEmpty ? "[{\"" : "\"},{\"").utf8
            excerpt += name
            excerpt += "\":\"".utf8
        }
        excerpt.append(contentsOf: content.prefix(max(0, limitBytes - excerpt.count)))
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func ends(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && self[part: (count - text.utf8CodeUnitCount)..<count].equals(text)
    }
}
