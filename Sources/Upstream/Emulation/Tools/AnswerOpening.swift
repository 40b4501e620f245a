import Engine

/// The kind of a response's beginning: a tool call without a tag, or other text.
enum AnswerOpening {
    case unknown
    case text
    /// A JSON object that names a tool. The value is the position of its start.
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
    var place = 0

    private mutating func skipSpace() { while place < bytes.count, bytes[place] <= 32 { place += 1 } }

    private enum Found { case whole, part, no }

    private mutating func take(_ text: StaticString) -> Found {
        let rest = bytes[part: place..<bytes.count]
        if rest.hasPrefix(text) {
            place += text.utf8CodeUnitCount
            return .whole
        }
        let known = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return rest.count < known.count && known.starts(with: rest) ? .part : .no
    }

    mutating func opening(_ allowsFence: Bool, _ isTool: (UnsafeRawBufferPointer) -> Bool) -> AnswerOpening {
        skipSpace()
        guard place < bytes.count else { return .unknown }
        var isFenced = false
        if bytes[place] == 96 {
            guard allowsFence else { return .text }
            switch take("```") {
            case .part: return .unknown
            case .no: return .text
            case .whole: break
            }
            while place < bytes.count, bytes[place] != 10 {
                if bytes[place] == 96 { return .text }
                place += 1
            }
            skipSpace()
            guard place < bytes.count else { return .unknown }
            isFenced = true
            if bytes[place] == 60 {
                return switch take("<tool_call>") {
                case .whole: .fenced
                case .part: .unknown
                case .no: .text
                }
            }
        }
        return object(isFenced, isTool)
    }

    /// Reads `{"name": "TOOL"`, possibly in an array.
    private mutating func object(_ isFenced: Bool, _ isTool: (UnsafeRawBufferPointer) -> Bool) -> AnswerOpening {
        let start = place
        if bytes[place] == 91 {
            place += 1
            skipSpace()
        }
        for text: StaticString in ["{", "\"name\"", ":", "\""] {
            switch take(text) {
            case .part: return .unknown
            case .no: return .text
            case .whole: if text.utf8Start[0] != 34 || text.utf8CodeUnitCount > 1 { skipSpace() }
            }
        }
        let name = place
        while place < bytes.count, bytes[place] != 34 { place += 1 }
        guard place < bytes.count else { return .unknown }
        guard isTool(bytes[part: name..<place]) else { return .text }
        return isFenced ? .fenced : .call(start)
    }
}
