import Calls
import Engine
import Testing

@testable import Upstream

@Suite struct RepeatGuardTests {
    /// What passes of the pieces, then the record.
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
}
