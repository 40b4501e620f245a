import Engine

/// The kind of a response's beginning: a tool call without a tag, a code block with a tool call, or other text.
enum ResponseOpening {
    case unknown
    case text
    /// JSON that names a tool, such as `{"name": "get_weather"`. The number is the index of the JSON's first byte.
    case call(Int)
    /// A code block that begins with a tool call.
    case fenced

    init(_ bytes: UnsafeRawBufferPointer, allowsFence: Bool, _ isTool: (UnsafeRawBufferPointer) -> Bool) {
        var reader = Reader(bytes: bytes)
        self = reader.opening(allowsFence, isTool)
    }
}

private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    private mutating func skipSpace() { while offset < bytes.count, bytes[offset] <= 32 { offset += 1 } }

    private enum PhraseMatch { case whole, part, no }

    private mutating func consume(_ text: StaticString) -> PhraseMatch {
        let rest = bytes[part: offset..<bytes.count]
        if rest.hasPrefix(text) {
            offset += text.utf8CodeUnitCount
            return .whole
        }
        let known = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return rest.count < known.count && known.starts(with: rest) ? .part : .no
    }

    mutating func opening(_ allowsFence: Bool, _ isTool: (UnsafeRawBufferPointer) -> Bool) -> ResponseOpening {
        skipSpace()
        guard offset < bytes.count else { return .unknown }
        var isFenced = false
        if bytes[offset] == 96 {
            guard allowsFence else { return .text }
            switch consume("```") {
            case .part: return .unknown
            case .no: return .text
            case .whole: break
            }
            while offset < bytes.count, bytes[offset] != 10 {
                if bytes[offset] == 96 { return .text }
                offset += 1
            }
            skipSpace()
            guard offset < bytes.count else { return .unknown }
            isFenced = true
            if bytes[offset] == 60 {
                return switch consume("<tool_call>") {
                case .whole: .fenced
                case .part: .unknown
                case .no: .text
                }
            }
        }
        return object(isFenced, isTool)
    }

    /// Reads the beginning of a JSON object such as `{"name": "get_weather"`, or of an array with such an object.
    private mutating func object(_ isFenced: Bool, _ isTool: (UnsafeRawBufferPointer) -> Bool) -> ResponseOpening {
        let start = offset
        if bytes[offset] == 91 {
            offset += 1
            skipSpace()
        }
        for text: StaticString in ["{", "\"name\"", ":", "\""] {
            switch consume(text) {
            case .part: return .unknown
            case .no: return .text
            case .whole: if text.utf8Start[0] != 34 || text.utf8CodeUnitCount > 1 { skipSpace() }
            }
        }
        let name = offset
        while offset < bytes.count, bytes[offset] != 34 { offset += 1 }
        guard offset < bytes.count else { return .unknown }
        guard isTool(bytes[part: name..<offset]) else { return .text }
        return isFenced ? .fenced : .call(start)
    }
}
