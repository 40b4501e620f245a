import Engine

/// Drops the lines by which a web search tells its progress: a globe (U+1F310), then `Crawling site`. A line is held
/// back while it could still become one.
struct ProgressFilter: ~Copyable {
    private enum State { case lineStart, inLine, inProgress }
    private var state = State.lineStart
    private var held = ByteBuffer()

    private static let globe: [UInt8] = [0xf0, 0x9f, 0x8c, 0x90]
    private static let words = Array("Crawling site".utf8)

    static func filtered(_ text: UnsafeRawBufferPointer) -> ByteBuffer {
        var filter = ProgressFilter()
        var out = ByteBuffer()
        filter.take(text) { out.append($0) }
        filter.finish { out.append($0) }
        return out
    }

    mutating func take(_ text: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        var from = 0
        for index in 0..<text.count {
            switch state {
            case .inLine: if text[index] == 10 { state = .lineStart }
            case .inProgress:
                if text[index] == 10 { state = .lineStart }
                from = index + 1
            case .lineStart:
                if held.isEmpty, from < index { pass(text[part: from..<index]) }
                held.append(text[index])
                from = index + 1
                if let isProgress = Self.isProgress(held.bytes) {
                    if !isProgress { pass(held.bytes) }
                    state = isProgress ? .inProgress : held.bytes.last == 10 ? .lineStart : .inLine
                    held.removeAll()
                }
            }
        }
        if from < text.count { pass(text[part: from..<text.count]) }
    }

    mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) {
        if !held.isEmpty { pass(held.bytes) }
        held.release()
    }

    /// nil: too early to say.
    private static func isProgress(_ line: UnsafeRawBufferPointer) -> Bool? {
        guard line.starts(with: globe) else { return globe.starts(with: line) ? nil : false }
        // A variation selector (U+FE0F) and spaces may follow the globe.
        let rest = line.dropFirst(4).drop { $0 == 0xef || $0 == 0xb8 || $0 == 0x8f || $0 == 32 }
        if rest.starts(with: words) { return true }
        return words.starts(with: rest) ? nil : false
    }
}
