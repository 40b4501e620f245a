/// Follows a Markdown text byte by byte: the place is in a code block (fenced by backticks or tildes) or in code within a
/// line. Code within a line ends with its line, so that one stray backtick hides little.
struct CodeMarks {
    private var fence: UInt8 = 0
    private var fenceLength = 0
    /// Backticks that opened code within the line.
    private var inline = 0
    private var run = 0
    private var runByte: UInt8 = 0
    private var isRunAtStart = false
    /// Only spaces stand before on the line.
    private var isLineStart = true
    /// On the line that opened the fence.
    private var isOpening = false

    /// True behind a byte that does not continue a run.
    var isCode: Bool { fence != 0 || inline != 0 }

    /// Words and spaces change nothing here.
    @inline(__always)
    var isAmidLine: Bool { run == 0 && !isLineStart }

    /// True: the byte may open or close code.
    @inline(__always)
    static func isMark(_ byte: UInt8) -> Bool { byte == 96 || byte == 126 }

    @inline(__always)
    mutating func take(_ byte: UInt8) {
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
                // No opening fence has backticks behind it: it was code within the line.
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
