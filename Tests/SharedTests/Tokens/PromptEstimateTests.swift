import CTokens
import Engine
import Foundation
import Support
import Testing

@testable import Shared

/// Tests of prompt estimates beside the exact counts of both vocabularies.
@Suite struct PromptEstimateTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized

    /// Returns the joined files of some folders of this project.
    private static func files(_ folders: String..., ending: String) throws -> String {
        var texts = ""
        for folder in folders {
            let names = try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
            for name in names.sorted() where name.hasSuffix(ending) {
                texts += try String(contentsOf: root.appending(path: folder).appending(path: name), encoding: .utf8)
            }
        }
        return texts
    }

    private static let chinese = """
        \u{8fd9}\u{4e2a}\u{51fd}\u{6570}\u{5148}\u{8bfb}\u{53d6}\u{914d}\u{7f6e}\u{6587}\u{4ef6}\u{ff0c}\
        \u{7136}\u{540e}\u{628a}\u{6bcf}\u{4e00}\u{884c}\u{62c6}\u{6210}\u{540d}\u{79f0}\u{548c}\u{503c}\
        \u{3002}\u{5982}\u{679c}\u{67d0}\u{4e00}\u{884c}\u{6ca1}\u{6709}\u{7b49}\u{53f7}\u{ff0c}\u{5b83}\
        \u{5c31}\u{4f1a}\u{8bb0}\u{5f55}\u{4e00}\u{6761}\u{8b66}\u{544a}\u{ff0c}\u{5e76}\u{7ee7}\u{7eed}\
        \u{5904}\u{7406}\u{4e0b}\u{4e00}\u{884c}\u{3002}\u{6628}\u{5929}\u{4e0b}\u{5348}\u{6211}\u{4eec}\
        \u{5728}\u{4f1a}\u{8bae}\u{5ba4}\u{91cc}\u{8ba8}\u{8bba}\u{4e86}\u{65b0}\u{7248}\u{672c}\u{7684}\
        \u{53d1}\u{5e03}\u{8ba1}\u{5212}\u{ff0c}\u{5927}\u{5bb6}\u{4e00}\u{81f4}\u{8ba4}\u{4e3a}\u{5e94}\
        \u{8be5}\u{5148}\u{4fee}\u{590d}\u{5df2}\u{77e5}\u{7684}\u{95ee}\u{9898}\u{ff0c}\u{518d}\u{589e}\
        \u{52a0}\u{65b0}\u{7684}\u{529f}\u{80fd}\u{3002}\u{8bf7}\u{7528}\u{4e2d}\u{6587}\u{56de}\u{7b54}\
        \u{4ee5}\u{4e0b}\u{95ee}\u{9898}\u{ff1a}\u{4e3a}\u{4ec0}\u{4e48}\u{5929}\u{7a7a}\u{662f}\u{84dd}\
        \u{8272}\u{7684}\u{ff1f}\u{9633}\u{5149}\u{8fdb}\u{5165}\u{5927}\u{6c14}\u{5c42}\u{4ee5}\u{540e}\
        \u{ff0c}\u{6ce2}\u{957f}\u{8f83}\u{77ed}\u{7684}\u{84dd}\u{5149}\u{6bd4}\u{7ea2}\u{5149}\u{66f4}\
        \u{5bb9}\u{6613}\u{88ab}\u{7a7a}\u{6c14}\u{5206}\u{5b50}\u{6563}\u{5c04}\u{3002}\u{8ba2}\u{5355}\
        \u{7f16}\u{53f7}20261124\u{7684}\u{5546}\u{54c1}\u{5df2}\u{7ecf}\u{53d1}\u{8d27}\u{ff0c}\u{9884}\
        \u{8ba1}\u{4e09}\u{5230}\u{4e94}\u{4e2a}\u{5de5}\u{4f5c}\u{65e5}\u{9001}\u{8fbe}\u{ff0c}\u{5982}\
        \u{9700}\u{4fee}\u{6539}\u{5730}\u{5740}\u{ff0c}\u{8bf7}\u{5c3d}\u{5feb}\u{8054}\u{7cfb}\u{5ba2}\
        \u{670d}\u{4eba}\u{5458}\u{3002}
        """

    private static func text(_ kind: String) throws -> String {
        switch kind {
        case "Swift": try files("Sources/Routes/Chat", "Sources/Engine/JSON", ending: ".swift")
        case "Python": try files("Tests/EndToEnd", ending: ".py")
        case "C": try files("Benchmarks", "Sources/CBlocks", ending: ".c")
        case "prose": try files("docs", "docs/design", ending: ".md")
        case "JSON": try files("Sources/Upstream/OneMin/Catalogue", "Tests/EndToEnd", ending: ".json")
        case "JSON without spaces":
            try files("Sources/Upstream/OneMin/Catalogue", ending: ".json").split(whereSeparator: \.isWhitespace)
                .joined()
        default: String(repeating: chinese, count: 20)
        }
    }

    @Test(
        "an estimate is short by a third at most, and not twice the count",
        arguments: ["Swift", "Python", "C", "prose", "JSON", "JSON without spaces", "Chinese"]
    )
    func factor(kind: String) throws {
        let vocabularies = [try tokenFile.get().o200k, try tokenFile.get().cl100k]
        let bytes = Array(try Self.text(kind).utf8)
        var random = Seeded(40)
        for _ in 0..<100 {
            let count = Int.random(in: 500...6_000, using: &random)
            let start = Int.random(in: 0..<(bytes.count - count), using: &random)
            let part = String(decoding: bytes[start..<(start + count)], as: UTF8.self)
            var estimate = PromptEstimate()
            estimate.add(part)
            for vocabulary in vocabularies {
                let counted = vocabulary.count(part)
                #expect(2 * counted <= PromptEstimate.factorHalves * estimate.tokens, "\(vocabulary.name): \(part)")
                #expect(estimate.tokens <= 2 * counted, "\(vocabulary.name): \(part)")
            }
        }
    }

    @Test("each byte of a text counts the same wherever the text lies and ends")
    func everyLength() throws {
        let line = "let caf\u{e9}Count = 12  // HTTPServer \u{4f60}\u{597d}\t\u{1f600};"
        let bytes = Array((line + line + line).utf8)
        /// Returns the estimated tokens of several copies of a text.
        func estimate(_ copies: Int, _ part: ArraySlice<UInt8>) -> Int {
            var estimate = PromptEstimate()
            for _ in 0..<copies { Array(part).withUnsafeBytes { estimate.add($0) } }
            return estimate.tokens
        }
        // Sixteen copies have as many tokens as one copy has sixteenths.
        for length in 1..<bytes.count - 1 {
            let more = estimate(16, bytes[..<(length + 1)]) - estimate(16, bytes[..<length])
            #expect(more >= 0 && more <= 32, "at \(length)")
            // A cut removes only the byte after the beginning of a word.
            let parts = estimate(16, bytes[..<length]) + estimate(16, bytes[length...])
            #expect(abs(parts - estimate(16, bytes[...])) <= 16, "cut at \(length)")
        }
        #expect(estimate(1, []) == 0)
    }

    @Test("the code for each kind of processor gives the same estimate")
    func everyCode() {
        let alphabets: [[UInt8]] = [
            Array(0...127), Array(0...255), Array("aZ Bc9.\n{\"_zA0x".utf8), Array(" a".utf8),
            // Mostly ASCII, with characters of more bytes in some blocks.
            Array(repeating: 0x61, count: 60) + Array("\u{e9}\u{4f60}".utf8),
        ]
        let codes = [RELAY_TOKENS_AVX2, RELAY_TOKENS_AVX512].filter { $0.rawValue <= relay_tokens_best_code().rawValue }
        var generator = Seeded(7)
        for number in 0..<20_000 {
            let alphabet = alphabets[number % alphabets.count]
            let text = (0..<Int.random(in: 0...300, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            text.withUnsafeBytes { bytes in
                let plain = relay_tokens_estimate_by(RELAY_TOKENS_PLAIN, bytes.baseAddress, bytes.count)
                for code in codes {
                    let estimate = relay_tokens_estimate_by(code, bytes.baseAddress, bytes.count)
                    #expect(estimate == plain, "\(code): \(text)")
                }
            }
        }
    }
}
