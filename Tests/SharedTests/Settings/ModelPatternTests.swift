import Shared
import Testing

@Suite struct ModelPatternTests {
    @Test(
        "patterns",
        arguments: [
            ("gpt-4o", "gpt-4o", true), ("gpt-4o", "gpt-4o-mini", false), ("gpt-4o", "GPT-4o", false),
            ("gpt*", "gpt", true), ("gpt*", "gpt-4o", true), ("gpt*", "gp", false), ("all", "x", true),
            ("*", "x", true), ("all", "", true), ("ALL", "x", false),
        ]
    )
    func matching(pattern: String, model: String, matches: Bool) throws {
        #expect(try #require(ModelPattern(pattern)).matches(model) == matches)
    }

    @Test("what is no pattern", arguments: ["", "a*b", "*a", "**", "a b", "a\n"])
    func broken(pattern: String) { #expect(ModelPattern(pattern) == nil) }

    @Test("a list matches if one pattern does")
    func lists() throws {
        let patterns = try ["glm*", "echo"].map { try #require(ModelPattern($0)) }
        #expect(patterns.match("echo") && patterns.match("glm-4") && !patterns.match("gpt"))
        #expect(![ModelPattern]().match("echo"))
    }
}
