/// A tracker that knows whether the current position in a Markdown text is in code.
struct MarkdownCodeTracker {
    private var fence: UInt8 = 0
    private var fenceLength = 0
    /// The number of backticks that opened the inline code; 0 outside inline code.
    private var inline = 0
    private var run = 0
    private var runByte: UInt8 = 0
    private var isRunAtStart = false
    /// Whether the current line contains only white space up to the current position.
    private var isLineStart = true
    /// Whether the current position is on the line that opens the code block.
    private var isOpening = false

    /// Whether the current position is in code. Only valid after a byte other than backtick and tilde.
    var isCode: Bool { fence != 0 || inline != 0 }

    /// Whether the current position is within a line and not directly after a backtick or tilde. A text without line
    /// ends, backticks and tildes then need not be passed to `consume`.
    @inline(__always)
    var isAmidLine: Bool { run == 0 && !isLineStart }

    /// Returns whether the byte is a backtick or a tilde, which can open or close code.
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
