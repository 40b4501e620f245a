import Shared
import Support
import Testing

@testable import Engine
@testable import Upstream

@Suite struct PanelProgressLinesTests {
    private let marks = PanelProgressLines(of: [panel()])

    @Test(
        "marks at the beginning of a text are taken out",
        arguments: [
            (" a ✅\nb ❌\nText", "Text"), ("a ✅\nText", "Text"), ("\n\n b ✅\n a ✅\n", " a ✅\n"), ("a ✅", ""),
            ("a ✅\r\nb ❌\r\n\nText", "\nText"), ("a ✅\na ✅\na ✅\nx", "x"), (" a ❌\n a", " a"),
        ]
    )
    func removed(text: String, rest: String) { #expect(marks.rest(of: text) == rest) }

    @Test(
        "all else stays",
        arguments: [
            "", " ", "Text", "a", "a ✅ Text", "a ✅x\n", "c ✅\nText", "Text\na ✅\n", "a  ✅\n", "✅\n", " ✅\n", "a✅\n",
            "a ☑\n",
            "aa ✅\n", "\ta ✅\n", "a\u{301} ✅\n",
        ]
    )
    func kept(text: String) { #expect(marks.rest(of: text) == nil) }

    @Test("every cut of a marked text is read without harm")
    func cut() {
        let text = Array(" a ✅\nb ❌\nText ✅\n".utf8)
        for end in 0...text.count {
            let rest = marks.rest(of: String(decoding: text[..<end], as: UTF8.self))
            #expect((rest ?? "").utf8.count <= end)
        }
    }

    @Test("an answer of nothing but marks goes, and what users say stays")
    func messages() {
        var messages = [
            ChatMessage(role: .user, text: "a ✅\nb"), ChatMessage(role: .assistant, text: " a ✅\nb ✅\n"),
            ChatMessage(role: .assistant, text: "a ✅\nText"), ChatMessage(role: .system, text: "a ✅\n"),
        ]
        marks.remove(from: &messages)
        #expect(messages.map(\.text) == ["a ✅\nb", "Text", "a ✅\n"])
    }

    @Test("a thought with a signature is its vendor's, and stays")
    func reasoningBlocks() throws {
        let signed = try #require(ReasoningBlock("a ✅\nx", signature: "s"))
        let own = try #require(ReasoningBlock("a ✅\n", signature: nil))
        var messages = [
            ChatMessage(
                role: .assistant,
                content: [.reasoningBlock(signed), .reasoningBlock(own), .refusal("a ✅\n"), .text("Text")]
            )
        ]
        marks.remove(from: &messages)
        #expect(messages[0].content.count == 3)
    }

    @Test("any text is read in linear time")
    func linear() {
        for text in Hostile.texts(bytes: 6_000) + [String(repeating: "a ✅\n", count: 2_000)] {
            var messages = [ChatMessage(role: .assistant, text: text)]
            let steps = StepCount.of { marks.remove(from: &messages) }
            #expect(steps <= Hostile.stepsPerByte * text.utf8.count + 1_000)
        }
    }
}
