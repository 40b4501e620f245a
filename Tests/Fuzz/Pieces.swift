import Glibc

/// The input of a fuzzer, cut as its first bytes say.
struct Pieces {
    let bytes: UnsafeRawBufferPointer
    private var state: UInt32
    private let span: Int

    /// - Parameter input: two bytes that control the cuts, then the bytes to cut.
    init(_ input: UnsafeRawBufferPointer) {
        let first = input.first ?? 0
        state = UInt32(first) &* 257 &+ UInt32(input.dropFirst().first ?? 0)
        span = 1 << Int(first & 7)
        bytes = UnsafeRawBufferPointer(rebasing: input.dropFirst(2))
    }

    private init(_ bytes: UnsafeRawBufferPointer, like other: Pieces) {
        self.bytes = bytes
        state = other.state
        span = other.span
    }

    /// Returns the same pieces without the first `count` bytes.
    func dropping(_ count: Int) -> Pieces { Pieces(UnsafeRawBufferPointer(rebasing: bytes[count...]), like: self) }

    /// Returns the end of the piece that begins at `start`. There are at most about 64 pieces, because a long input
    /// would otherwise take quadratic time.
    mutating func end(after start: Int) -> Int {
        state = state &* 1_664_525 &+ 1_013_904_223
        return min(bytes.count, start + 1 + Int(state >> 16) % span + bytes.count / 64)
    }
}

/// Calls `body` with a copy of `bytes` in a block of exactly their size, so that the sanitizer detects each read past
/// its end.
func withTightCopy<Result>(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: bytes)
    return body(UnsafeRawBufferPointer(copy))
}

/// Ends the process, so that the fuzzer keeps the input.
func fail(_ text: String) -> Never {
    print("property broken: \(text)")
    fflush(nil)
    abort()
}

func demand(_ isSo: Bool, _ text: @autoclosure () -> String) {
    if !isSo { fail(text()) }
}
