import Shared
import Support
import Testing

@testable import Upstream

@Suite struct PromptFlagsTests {
    @Test(
        "flags are taken out, everything else stays as it was",
        arguments: [
            ("a cat", "a cat"), ("  a  cat\n", "a  cat"), ("a --ar 3:2", "a"), ("--fast a --relax b", "a b"),
            ("a\u{2014}b \u{2014}ar 1:2 c", "a\u{2014}b c"), ("a --no x y --ar 1:1 b", "a b"),
            ("a -- b --v 6", "a -- b --v 6"), ("--size 10x20", ""), ("a --AR 3:2", "a --AR 3:2"), ("", ""),
            ("caf\u{e9} \u{1f600} --fast", "caf\u{e9} \u{1f600}"),
        ]
    )
    func takes(_ prompt: String, _ kept: String) throws {
        var flags = PromptFlags()
        #expect(try flags.extract(from: prompt) == kept)
    }

    @Test("their values are read")
    func reads() throws {
        var flags = PromptFlags()
        _ = try flags.extract(from: "a --ar 3:2 --no red  cars --relax")
        guard case .ratio(3, 2) = flags.shape else {
            Issue.record("no ratio")
            return
        }
        #expect(flags.negativePrompt == "red cars")
        guard case .relax = flags.mode else {
            Issue.record("no mode")
            return
        }
    }

    @Test(
        "a value that is none is the caller's fault",
        arguments: ["--ar", "--ar 0:1", "--ar 1:0", "--ar 5:2", "--ar 1:1:1", "--ar +1:1", "--size 1", "--no --fast"]
    )
    func refuses(_ prompt: String) {
        var flags = PromptFlags()
        do throws(APIError) {
            _ = try flags.extract(from: prompt)
            Issue.record("it was taken")
        } catch {
            #expect(error.status == 400 && error.param == "prompt")
        }
    }
}
