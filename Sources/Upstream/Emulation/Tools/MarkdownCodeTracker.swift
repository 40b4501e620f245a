/// Follows a Markdown text byte by byte to find out whether the position is in a code block (fenced by backticks or
/// tildes) or in inline code. Inline code ends with its line, so that a stray backtick hides little.
struct MarkdownCodeTracker {
    private var fence: UInt8 = 0
    private var fenceLength = 0
    /// The number of backticks that opened the inline code; 0 outside of inline code.
    private var inline = 0
    private var run = 0
    private var runByte: UInt8 = 0
    private var isRunAtStart = false
    /// Whether the line has only white space so far.
    private var isLineStart = true
    /// Whether the position is on the line that opened the fence.
    private var isOpening = false

    /// Whether the position is in code. Only valid after a byte that ends a run of backticks or tildes.
    var isCode: Bool { fence != 0 || inline != 0 }

    /// Whether words and spaces do not change the state.
    @inline(__always)
    var isAmidLine: Bool { run == 0 && !isLineStart }

    /// Whether the byte may open or close code.
    @inline(__always)
    static func isMark(_ byte: UInt8) -> Bool { byte == 96 || byte == 126 }

    @inline(__always)
    mutating func consume(_ byte: UInt8) {
        if byte == 96 || byte == 126 {
            if run > 0, runByte == byte {
                run += 1
            } else {
                if run > 0 { endRun() }
                (run, runByte, isRunAtStart) = (1, byte, isLineStart)
            }
            isLineStart = false
            return
        }
        if run > 0 { endRun() }
        if byte == 10 {
            (isLineStart, inline, isOpening) = (true, 0, false)
        } else if byte != 32 && byte != 9 {
            isLineStart = false
        }
    }

    private mutating func endRun() {
        defer { run = 0 }
        if fence != 0 {
            if isOpening, runByte == 96, fence == 96 {
                // An opening fence has no backticks after it, so this was inline code.
                (fence, isOpening) = (0, false)
            } else if isRunAtStart, runByte == fence, run >= fenceLength {
                fence = 0
            }
        } else if isRunAtStart, run >= 3, inline == 0 {
            (fence, fenceLength, isOpening) = (runByte, run, true)
        } else if runByte == 96 {
            inline = inline == 0 ? run : inline == run ? 0 : inline
        }
    }
}
