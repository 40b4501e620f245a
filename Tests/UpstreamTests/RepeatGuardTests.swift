import Engine
import Support
import Testing

@testable import Upstream

@Suite struct RepeatGuardTests {
    /// Returns the text that passes for these pieces and then the record.
    private func passed(_ pieces: [String], record: String?) -> String {
        var repeats = RepeatGuard()
        var out = ""
        for piece in pieces {
            if let released = repeats.releaseHeld() { out += released.text }
            if !withBytes(piece, { repeats.holds($0) }) { out += piece }
        }
        if let record {
            let buffer = ByteBuffer(record)
            if let released = repeats.releaseHeld(provenBy: buffer.bytes) { out += released.text }
        }
        return out
    }

    @Test("a last piece that repeats all is dropped, unless the record has it twice")
    func lastPiece() {
        #expect(passed(["ab", "cd", "abcd"], record: "abcd") == "abcd")
        #expect(passed(["ab", "cd", "abcd"], record: "abcdabcd") == "abcdabcd")
        #expect(passed(["ab", "cd", "abcd"], record: nil) == "abcd")
        #expect(passed(["a", "a"], record: "aa") == "aa")
        #expect(passed(["a", "a"], record: "a") == "a")
    }

    @Test("a repetition that more follows was genuine")
    func genuine() {
        #expect(passed(["ha", "ha", "ha"], record: "hahaha") == "hahaha")
        #expect(passed(["ha", "ha", "!"], record: "haha!") == "haha!")
        #expect(passed(["ha", "ha", "haha"], record: "hahahaha") == "hahahaha")
        #expect(passed(["ha", "ha", "haha"], record: "haha") == "haha")
    }

    @Test("the first piece, another of the same length, and a part pass")
    func others() {
        #expect(passed(["abcd"], record: "abcd") == "abcd")
        #expect(passed(["ab", "cd", "abce"], record: nil) == "abcdabce")
        #expect(passed(["ab", "cd", "abc"], record: nil) == "abcdabc")
    }

    @Test(
        "a text is known however it is cut, and with one other byte it is another",
        arguments: 0..<20 as Range<UInt64>
    )
    func cuts(seed: UInt64) {
        var random = Seeded(seed)
        for length in 2..<60 {
            let text = (0..<length).map { _ in UInt8(random.below(256)) }
            var other = text
            other[random.below(length)] ^= 1 << UInt8(random.below(8))
            var repeats = RepeatGuard()
            var offset = 0
            while offset < length {
                // There are at least two pieces.
                let end = offset + 1 + random.below(min(length - offset, length - 1))
                let isHeld = text[offset..<end].withUnsafeBytes { repeats.holds($0) }
                // By chance, a half may equal the other half.
                if isHeld { _ = repeats.releaseHeld() }
                offset = end
            }
            #expect(!other.withUnsafeBytes { RepeatGuard.isHeld($0, after: text) })
            #expect(text.withUnsafeBytes { repeats.holds($0) })
        }
    }
}

extension RepeatGuard {
    fileprivate static func isHeld(_ piece: UnsafeRawBufferPointer, after text: [UInt8]) -> Bool {
        var repeats = RepeatGuard()
        _ = text[..<1].withUnsafeBytes { repeats.holds($0) }
        _ = text[1...].withUnsafeBytes { repeats.holds($0) }
        return repeats.holds(piece)
    }
}
