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
    private var recent = [UInt8](repeating: 0, count: window)
    private var length = 0
    private var hash: UInt64 = 0

    /// Compares a text with the strings of a request.
    ///
    /// - Parameter request: the JSON of the request, which must be valid.
    init(_ text: [UInt8], in request: UnsafeRawBufferPointer) {
        self.text = text
        isEcho = Array(repeating: false, count: text.count)
        guard text.count >= Self.window else { return }
        for offset in text.indices {
            add(text[offset])
            guard length >= Self.window else { continue }
            windows[hash, default: []].append(offset + 1 - Self.window)
            filter[Self.slot(hash)] = true
        }
        read(request)
    }

    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> 52) }

    private mutating func begin() {
        length = 0
        hash = 0
    }

    private mutating func add(_ byte: UInt8) {
        let slot = length % Self.window
        hash = hash &* Self.factor &+ UInt64(byte) &+ 1
        if length >= Self.window { hash &-= (UInt64(recent[slot]) &+ 1) &* Self.leaving }
        recent[slot] = byte
        length += 1
    }

    private mutating func compare(_ byte: UInt8) {
        add(byte)
        guard length >= Self.window, filter[Self.slot(hash)], let offsets = windows[hash] else { return }
        let isEqual = (0..<Self.window).allSatisfy { recent[(length + $0) % Self.window] == text[offsets[0] + $0] }
        guard isEqual else { return }
        for offset in offsets { for index in offset..<(offset + Self.window) { isEcho[index] = true } }
        windows[hash] = nil
    }

    /// Compares the strings of the request, names and values.
    private mutating func read(_ request: UnsafeRawBufferPointer) {
        var strings = RequestStrings(request, limitBytes: Self.limitBytes)
        while strings.next() {
            begin()
            for byte in strings.text { compare(byte) }
        }
        isComplete = strings.isComplete
    }
}
