import Engine

/// Removes the lines in which 1min.ai's web search reports its progress. Such a line begins with a globe (U+1F310) and
/// `Crawling site`.
struct ProgressFilter: ~Copyable {
    private enum State {
        /// The line so far is empty or has the first bytes of the globe character (U+1F310). The value is the number of
        /// these bytes.
        case globe(Int)
        /// The line so far is the globe character, perhaps with spaces after it. The value is the number of bytes after
        /// the character.
        case gap(Int)
        /// The line so far ends with the beginning of `Crawling site`. The value is the length of this beginning in
        /// bytes.
        case words(Int)
        case inLine
        case inProgress
    }
    private var state = State.globe(0)
    /// The beginning of the current line, while it is unknown whether the line reports progress.
    private var held = ByteBuffer()

    private static let globe: StaticString = "\u{1f310}"
    private static let words: StaticString = "Crawling site"
    /// The largest number of bytes between the globe character and the words `Crawling site` in a progress line.
    private static let gapLimitBytes = 64

    mutating func consume(_ text: UnsafeRawBufferPointer, _ pass: (UnsafeRawBufferPointer) -> Void) {
        // `from` is the start of the text that is not passed on yet, and `line` is the start of the present line.
        var from = 0
        var line = 0
        var index = 0
        while index < text.count {
            switch state {
            case .inLine, .inProgress:
                let end = text[part: index..<text.count].firstNewline().map { index + $0 + 1 }
                index = end ?? text.count
                if case .inProgress = state { from = index }
                guard end != nil else { break }
                state = .globe(0)
                line = index
            case .globe, .gap, .words:
                state = Self.next(state, text[index])
                index += 1
                switch state {
                case .globe(0): line = index
                case .inProgress:
                    if from < line { pass(text[part: from..<line]) }
                    held.removeAll()
                    from = index
                default: break
                }
                if !held.isEmpty, !isUndecided {
                    pass(held.bytes)
                    held.removeAll()
                }
            }
        }
        StepCount.add(2 * text.count)
        let end = isUndecided ? max(from, line) : text.count
        if from < end { pass(text[part: from..<end]) }
        if end < text.count { held.append(text[part: end..<text.count]) }
    }

    mutating func finish(_ pass: (UnsafeRawBufferPointer) -> Void) {
        if !held.isEmpty { pass(held.bytes) }
        held.release()
    }

    /// Whether the current line has begun like a progress line, but is too short to be sure.
    private var isUndecided: Bool {
        switch state {
        case .globe(let count): count > 0
        case .gap, .words: true
        case .inLine, .inProgress: false
        }
    }

    /// Returns the state after one more byte of a line that has begun like a progress line.
    private static func next(_ state: State, _ byte: UInt8) -> State {
        switch state {
        case .globe(let count) where byte == globe.utf8Start[count]:
            return count + 1 < globe.utf8CodeUnitCount ? .globe(count + 1) : .gap(0)
        // The bytes of a variation selector (U+FE0F), and spaces.
        case .gap(let count)
        where count < gapLimitBytes && (byte == 32 || byte == 0xef || byte == 0xb8 || byte == 0x8f):
            return .gap(count + 1)
        case .gap where byte == words.utf8Start[0]: return .words(1)
        case .words(let count) where byte == words.utf8Start[count]:
            return count + 1 < words.utf8CodeUnitCount ? .words(count + 1) : .inProgress
        default: return byte == 10 ? .globe(0) : .inLine
        }
    }
}
