import Engine
import Glibc
import Support
import Testing

@testable import Shared

/// The token file that the build made.
let tokenFile: Result<TokenFile, TokenFile.Failure> = {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
    let path = getenv("RELAY_TOKENS").map { String(cString: $0) } ?? root + "/.build/debug/relay.tokens"
    do throws(TokenFile.Failure) { return .success(try TokenFile(path: path)) } catch { return .failure(error) }
}()

/// Tests of token counts. Tests/Tokens/compare.py compares many more texts with tiktoken.
@Suite struct VocabularyTests {
    @Test(
        "texts count as tiktoken counts them",
        arguments: [
            ("", 0, 0),
            ("a", 1, 1),
            ("Hello, world", 3, 3),
            ("It's WE'LL don'T x'\u{17f}", 9, 11),
            ("  two  spaces\n\n\tand tabs \r\n ", 9, 9),
            ("1234567 \u{661}\u{662}\u{663}\u{664} \u{2177}", 11, 15),
            ("snake_case camelCaseHTTPServer //\r\n/x", 9, 8),
            ("<|endoftext|> and <|fim_prefix|>", 14, 14),
            ("Gr\u{f6}\u{df}e, na\u{ef}ve, \u{17f}tra\u{df}e", 10, 10),
            ("\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43c}\u{438}\u{440}", 4, 6),
            ("\u{4f60}\u{597d}\u{ff0c}\u{4e16}\u{754c}\u{3002}\u{6f22}\u{5b57}ABCd", 8, 12),
            ("\u{e2a}\u{e27}\u{e31}\u{e2a}\u{e14}\u{e35}\u{e0a}\u{e32}\u{e27}\u{e42}\u{e25}\u{e01}", 7, 13),
            ("\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}\u{1f1e9}\u{1f1ea}\u{2764}\u{fe0f}", 16, 27),
            ("x\u{302}\u{177} \u{2b0}ABC \u{1c5}", 10, 12),
            ("\u{301}ABC", 2, 2),
            ("\u{a0}\u{3000}\u{2028}", 3, 4),
            ("!!!???...", 3, 3),
            ("\u{1e900}\u{1e922} \u{a7d1}\u{a7d3} \u{31350}", 19, 19),
        ] as [(String, Int, Int)]
    )
    func texts(text: String, o200k: Int, cl100k: Int) throws {
        let file = try tokenFile.get()
        #expect(file.o200k.count(text) == o200k)
        #expect(file.cl100k.count(text) == cl100k)
    }

    @Test(
        "words of thousands of letters count as tiktoken counts them",
        arguments: [
            ("a", 10000, 1250, 1250),
            (" ", 10000, 79, 79),
            ("ab", 10000, 2500, 5000),
            ("漢字", 6000, 6000, 9000),
            ("=-", 9999, 628, 628),
            ("qwertyuiop", 10000, 5000, 4000),
        ] as [(String, Int, Int, Int)]
    )
    func longWords(unit: String, length: Int, o200k: Int, cl100k: Int) throws {
        let file = try tokenFile.get()
        let scalars = Array(unit.unicodeScalars)
        var text = String.UnicodeScalarView()
        for index in 0..<length { text.append(scalars[index % scalars.count]) }
        #expect(file.o200k.count(String(text)) == o200k)
        #expect(file.cl100k.count(String(text)) == cl100k)
    }

    @Test("bytes that are no text count between one and their number")
    func brokenBytes() throws {
        let file = try tokenFile.get()
        var random = Seeded(7)
        let starts: [UInt8] = [
            0, 0x20, 0x27, 0x41, 0x61, 0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xe6, 0xed, 0xf0, 0xf4, 0xf5, 0xff,
        ]
        for length in 1...600 {
            let bytes = (0..<length).map { _ in random.below(2) == 0 ? random.pick(starts) : UInt8(random.below(256)) }
            for vocabulary in [file.o200k, file.cl100k] {
                let count = bytes.withUnsafeBytes { vocabulary.count($0) }
                #expect((1...length).contains(count))
            }
        }
    }

    @Test("a text in pieces counts as the whole", arguments: [1, 3, 900, 20_000])
    func pieces(most: Int) throws {
        let counters = TokenCounters(try tokenFile.get())
        var random = Seeded(UInt64(most))
        let words = [
            "word", " ", "don't", "\u{6f22}\u{5b57}", "\u{e44}\u{e17}\u{e22}", "  \n", "12345", "!?", "'s", "\u{301}",
            "\u{3000}", "Aa",
        ]
        for model in ["gpt-4o", "gpt-4", "another"] {
            let counter = counters.counter(for: model)
            let text = Array((0..<(most > 3 ? 30_000 : 6_000)).map { _ in random.pick(words) }.joined().utf8)
            var accumulator = TokenCountAccumulator(counter)
            for piece in Support.pieces(of: text, most: most, &random) { piece.withUnsafeBytes { accumulator.add($0) } }
            #expect(accumulator.tokens == text.withUnsafeBytes { counter.count($0) })
        }
    }

    @Test("much text is counted elsewhere", arguments: ["gpt-4o", "gpt-4"])
    func catchingUp(model: String) throws {
        let counter = TokenCounters(try tokenFile.get()).counter(for: model)
        let text = Array(String(repeating: "Many w\u{f6}rds, don't you think? ", count: 12_000).utf8)
        var accumulator = TokenCountAccumulator(counter)
        var times = 0
        for start in stride(from: 0, to: text.count, by: 30_000) {
            text[start..<min(start + 30_000, text.count)].withUnsafeBytes { accumulator.add($0) }
            guard accumulator.isBehind else { continue }
            times += 1
            let body = accumulator.removeUncounted()
            accumulator.putBack(body, TokenCountAccumulator.counted(body, by: counter))
        }
        let counted = accumulator.tokens
        #expect(times == 1 && counted == text.withUnsafeBytes { counter.count($0) })
    }

    @Test("text that nobody has the time to count is estimated")
    func estimatedForLackOfTime() throws {
        var accumulator = TokenCountAccumulator(TokenCounters(try tokenFile.get()).counter(for: "gpt-4o"))
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 400_000)
        text.withUnsafeBytes { accumulator.add($0) }
        let wasBehind = accumulator.isBehind
        accumulator.putBack(accumulator.removeUncounted(), nil)
        let (isBehind, counted) = (accumulator.isBehind, accumulator.tokens)
        #expect(wasBehind && !isBehind && counted == 100_000)
    }

    @Test("a bounded text is the same however it is cut, and as long as it may be", arguments: 0..<20 as Range<UInt64>)
    func bounds(seed: UInt64) throws {
        let counters = TokenCounters(try tokenFile.get())
        var random = Seeded(seed)
        let words = ["word", " ", "don't", "\u{6f22}\u{5b57}", "  \n", "12345", "!?", "\u{301}", "\u{1f389}", "Aa"]
        for model in ["gpt-4o", "gpt-4"] {
            let counter = counters.counter(for: model)
            let text = Array((0..<random.below(300)).map { _ in random.pick(words) }.joined().utf8)
            let limit = 1 + random.below(200)
            func bounded(_ pieces: [[UInt8]]) -> (text: [UInt8], isWhole: Bool, tokens: Int) {
                var bound = TokenBound(limit, counter)
                var passed: [UInt8] = []
                var isWhole = true
                for piece in pieces where isWhole {
                    isWhole = piece.withUnsafeBytes { bound.consume($0) { passed += $0 } }
                }
                if isWhole { isWhole = bound.finish { passed += $0 } }
                return (passed, isWhole, bound.tokens)
            }
            let whole = bounded([text])
            let count = whole.text.withUnsafeBytes { counter.count($0) }
            #expect(count == whole.tokens && count <= limit && text.starts(with: whole.text))
            #expect(whole.isWhole == (whole.text.count == text.count))
            if !whole.isWhole { #expect(count >= limit - 3) }
            for most in [40, 400] {
                let cut = bounded(Support.pieces(of: text, most: most, &random))
                #expect(cut.text == whole.text && cut.isWhole == whole.isWhole && cut.tokens == count)
            }
        }
    }

    @Test("tokens become the text that they were made of")
    func decoding() throws {
        let counter = TokenCounters(try tokenFile.get()).counter(for: "gpt-4o")
        #expect(counter.text(of: [13225, 2375]) == "Hello world")
        #expect(counter.text(of: []) == "")
        for token in [-1, 199_998, 199_999, .max, .min] { #expect(counter.text(of: [token]) == nil) }
        #expect(TokenCounter.estimating.text(of: [1]) == nil)
    }

    @Test("a word without an end in pieces is held in bounds, and counts little more")
    func endlessWord() throws {
        var accumulator = TokenCountAccumulator(TokenCounters(try tokenFile.get()).counter(for: "gpt-4o"))
        let piece = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000)
        for _ in 0..<1_000 {
            piece.withUnsafeBytes { accumulator.add($0) }
            if accumulator.isBehind {
                let body = accumulator.removeUncounted()
                accumulator.putBack(body, TokenCountAccumulator.counted(body, by: accumulator.counter))
            }
        }
        #expect((125_000...125_064).contains(accumulator.tokens))
    }

    @Test(
        "models have the vocabularies that tiktoken gives them",
        arguments: [
            ("gpt-4o-mini", .o200k), ("gpt-5.2-pro", .o200k), ("o3-mini", .o200k), ("o1", .o200k),
            ("gpt-4.1-nano", .o200k),
            ("gpt-4", .cl100k), ("gpt-4-turbo", .cl100k), ("gpt-3.5-turbo", .cl100k),
            ("text-embedding-3-small", .cl100k),
            ("openai/gpt-oss-120b", .o200k), ("ft:gpt-4o-mini:a", .o200k), ("ft:gpt-4-0613:a", .cl100k),
            ("davinci", nil), ("text-davinci-003", nil), ("claude-3-haiku", nil), ("o11", nil), ("", nil),
            ("gpt-", nil),
        ] as [(String, Vocabulary.Name?)]
    )
    func models(model: String, name: Vocabulary.Name?) throws {
        #expect(Vocabulary.Name(model: model) == name)
        #expect(TokenCounters(try tokenFile.get()).counter(for: model).isExact == (name != nil))
        #expect(!TokenCounters(nil).counter(for: model).isExact)
    }
}
