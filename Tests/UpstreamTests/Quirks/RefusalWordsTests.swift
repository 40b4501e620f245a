import Engine
import Support
import Testing

@testable import Upstream

@Suite struct RefusalWordsTests {
    private static let phrases: [StaticString] = [
        "tools are not supported", "must alternate", "unsupported", "does not support tools",
    ]

    private static func request(_ text: String) -> ByteBuffer {
        var body = ByteBuffer(#"{"model":"m","messages":[{"role":"user","content":""#)
        body.append(String(decoding: text.utf8.flatMap { $0 == 34 || $0 == 92 ? [92, $0] : [$0] }, as: UTF8.self))
        body.append(#""}]}"#)
        return body
    }

    private static func words(_ message: String, of text: String) -> RefusalWords {
        let body = request(text)
        return RefusalWords(message, of: body.bytes)
    }

    /// Returns the messages in which a function finds a quoted phrase.
    private static func misread(_ says: (String, String, StaticString) -> Bool) -> [String] {
        var random = Seeded(7)
        var misread: [String] = []
        for _ in 0..<400 {
            let phrase = phrases[random.below(phrases.count)]
            let padding = String(repeating: "x", count: random.below(30))
            let text = "the text \(padding) \(phrase) in a prompt"
            let forms = [
                "Invalid value: '\(text)'. Try another one.", "Cannot read \"\(text)\"", "input: \(text)",
                "I got \(text)",
                "Bad `\(text)` here", "the field holds \(text), which is bad", "value=\(text)", "“\(text)” is odd",
            ]
            let message = forms[random.below(forms.count)]
            if says(message, text, phrase) { misread.append(message) }
        }
        return misread
    }

    @Test("what a message quotes of the request is not the vendor's") func quotes() {
        #expect(Self.misread { Self.words($0, of: $1).say($2) } == [])
        // Reading the complete message is found to be a mistake.
        #expect(Self.misread { PhraseMatcher($0).say($2) }.count == 400)
    }

    @Test("a refusal is understood, also if the prompt holds it", arguments: ["Hi", "docs"])
    func refusals(prompt: String) {
        let message =
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        let words = Self.words(message, of: prompt == "docs" ? "See: \(message) And so on." : prompt)
        #expect(words.say("is not supported with this model") && words.name("max_tokens") && !words.say("max_tokens"))
        #expect(words.isComplete)
        #expect(Self.words("the model doesn't support tools", of: "don't").say("n't support tools"))
    }

    @Test("names are compared with their case, and none counts beside another spelling") func letterCase() {
        let said = Self.words("Unexpected value(s) `Beta-1.2`, `x.Odd` for the `anthropic-beta` header", of: "Hi")
        #expect(said.exact(["Beta-1.2", "beta-1.2"], among: ["Beta-1.2"]) == ["Beta-1.2"])
        #expect(said.exact(["Beta-1.2", "beta-1.2"], among: ["Beta-1.2", "beta-1.2"]) == [])
        #expect(said.exact(["Odd", "beta-1", "2"], among: ["Odd"]) == [])
        let both = ByteBuffer(#"{"store":true,"Store":true,"user":"u"}"#)
        let words = RefusalWords("Unknown parameters: Store, user", of: both.bytes)
        #expect(!words.name("store") && words.name("user"))
    }

    @Test("in a list of errors, the messages are the vendor's words and the input is not") func errorList() {
        let message =
            #"[{'type': 'literal_error', 'msg': "Input should be 'low' or 'high'", 'input': 'no \'msg\': "must alternate"'}]"#
        let words = Self.words(message, of: "Hi")
        #expect(words.say("input should be") && words.name("low") && words.name("high"))
        #expect(!words.quote("must alternate") && !words.quote("no "))
    }

    @Test("a repetition is found behind escapes") func escapes() {
        let body = ByteBuffer(##"{"user":"the tools\u0020are not\/supp\u006frted, \"really\" so"}"##)
        let words = RefusalWords("This body says: the tools are not/supported, \"really\" so", of: body.bytes)
        #expect(!words.say("supported"))
    }

    @Test("the time is linear in the request and the message", arguments: ["a", "ab", "tools are not supported "])
    func linear(unit: String) {
        let text = String(repeating: unit, count: 4_096 / unit.utf8.count)
        let body = Self.request(String(repeating: unit, count: 400_000 / unit.utf8.count))
        let finder = EchoFinder(Array(text.utf8), in: body.bytes)
        #expect(finder.isEcho.allSatisfy { $0 } && finder.isComplete)
    }

    @Test("of a request with too much text, nothing is remembered") func tooLong() {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model."
        let long = Self.request(String(repeating: "b", count: 2_200_000))
        #expect(!RefusalWords(message, of: long.bytes).isComplete)
    }
}
