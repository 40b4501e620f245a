import Engine

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
