import Engine

/// Finds the parts of a vendor's message that repeat strings of the refused request. Takes linear time.
struct EchoFinder {
    /// The shortest repetition that is found, in bytes.
    private static let window = 24
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// `factor` to the power of `window`: the weight of a byte that leaves the window.
    private static let leaving = (0..<window).reduce(1 as UInt64) { power, _ in power &* factor }

    let message: ComparedText
    /// Whether each byte of the message, as it was written, repeats a string of the request.
    var isEcho: [Bool]
    /// The bytes of strings that may still be compared.
    private var left = 2_097_152
    /// Whether all strings were compared.
    var isComplete: Bool { left >= 0 }
    /// The offsets of the windows with each hash.
    private var windows: [UInt64: [Int]] = [:]
    /// The hashes in `windows` by 12 of their bits, which is quicker to ask.
    private var filter = [Bool](repeating: false, count: 4_096)

    /// Creates a finder that has compared no strings yet.
    init(_ written: [UInt8]) {
        message = ComparedText(written)
        isEcho = Array(repeating: false, count: written.count)
        Self.forEachWindow(of: message.bytes) { start, hash in
            windows[hash, default: []].append(start)
            filter[Self.slot(hash)] = true
        }
    }

    /// Compares a message with the strings of a request, names and values.
    /// - Parameter request: the JSON of the request, which must be valid.
    init(_ written: [UInt8], in request: UnsafeRawBufferPointer) {
        self.init(written)
        for string in RequestStrings(request) where !string.isFile { compare(string.content) }
    }

    /// Compares one more string. Returns it as it was compared; empty if too many strings were compared before.
    @discardableResult
    mutating func compare(_ written: UnsafeRawBufferPointer) -> [UInt8] {
        left -= written.count
        guard isComplete else { return [] }
        let string = ComparedText.bytes(of: written)
        Self.forEachWindow(of: string) { start, hash in
            guard filter[Self.slot(hash)], let offsets = windows[hash] else { return }
            let found = offsets[0]..<(offsets[0] + Self.window)
            guard string[start..<(start + Self.window)].elementsEqual(message.bytes[found]) else { return }
            isEcho.mark(offsets.map { message.written($0..<($0 + Self.window)) })
            windows[hash] = nil
        }
        return string
    }

    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 52) }

    /// Calls `body` with the start and the hash of each window of a text.
    private static func forEachWindow(of text: [UInt8], _ body: (_ start: Int, _ hash: UInt64) -> Void) {
        var hash: UInt64 = 0
        for end in text.indices {
            hash = hash &* factor &+ UInt64(text[end]) &+ 1
            let start = end + 1 - window
            if start > 0 { hash &-= (UInt64(text[start - 1]) &+ 1) &* leaving }
            if start >= 0 { body(start, hash) }
        }
    }
}

extension [Bool] {
    /// Marks the bytes in these ranges.
    mutating func mark(_ ranges: [Range<Int>]) { for range in ranges { for index in range { self[index] = true } } }
}
