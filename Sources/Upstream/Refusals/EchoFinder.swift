import Engine

/// Finds the parts of a vendor's message that repeat strings of the refused request. Takes linear time.
struct EchoFinder {
    /// The shortest repetition that is found, in bytes.
    private static let window = 24
    /// The bytes of the request's strings that are compared.
    private static let limitBytes = 2_097_152
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// `factor` to the power of `window`: the weight of a byte that leaves the window.
    private static let leaving = (0..<window).reduce(1 as UInt64) { power, _ in power &* factor }

    private let text: [UInt8]
    /// Whether each byte of the text repeats a string of the request.
    private(set) var isEcho: [Bool]
    /// Whether all strings of the request were compared.
    private(set) var isComplete = true
    /// The offsets of the windows with each hash.
    private var windows: [UInt64: [Int]] = [:]
    /// The hashes in `windows` by 12 of their bits, which is quicker to ask.
    private var filter = [Bool](repeating: false, count: 4_096)

    /// Creates a finder that has compared no strings yet.
    init(_ text: [UInt8]) {
        self.text = text
        isEcho = Array(repeating: false, count: text.count)
        Self.forEachWindow(of: text) { start, hash in
            windows[hash, default: []].append(start)
            filter[Self.slot(hash)] = true
        }
    }

    /// Compares a text with the strings of a request, names and values.
    ///
    /// - Parameter request: the JSON of the request, which must be valid.
    init(_ text: [UInt8], in request: UnsafeRawBufferPointer) {
        self.init(text)
        guard !windows.isEmpty else { return }
        var strings = RequestStrings(request, limitBytes: Self.limitBytes)
        while strings.next() { compare(strings.text) }
        isComplete = strings.isComplete
    }

    /// Compares one more string.
    mutating func compare(_ string: [UInt8]) {
        Self.forEachWindow(of: string) { start, hash in
            guard filter[Self.slot(hash)], let offsets = windows[hash] else { return }
            let found = offsets[0]..<(offsets[0] + Self.window)
            guard string[start..<(start + Self.window)].elementsEqual(text[found]) else { return }
            for offset in offsets { for index in offset..<(offset + Self.window) { isEcho[index] = true } }
            windows[hash] = nil
        }
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
