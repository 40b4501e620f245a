import Engine
import Shared
import Support
import Testing

@testable import Upstream

/// Tests of all kinds of vendors with the output that their servers report: text, usage, ends and reasoning.
@Suite struct OutputContractTests {
    @Test("a response has its text and one end", arguments: VendorKind.allCases, [true, false])
    func answers(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            for _ in 0..<2 {
                let outcome = await scene.ask(scene.call(isStreamed: isStreamed))
                #expect(outcome.isWhole() && outcome.texts == [0: "hello there"] && outcome.ends == [0: [.stop]])
                #expect(outcome.records.map(\.status) == [200])
            }
        }
    }

    @Test("a stream is the same wherever its bytes are cut", arguments: VendorKind.allCases)
    func cutAnywhere(kind: VendorKind) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: true, tools: ["f"])
            let expected = await scene.ask(call, .rich)
            for pieces in cuttings(of: Array(scene.contract.events(.rich).joined().utf8)) {
                let texts = pieces.map { String(decoding: $0, as: UTF8.self) }
                let outcome = await scene.ask(call, [.pieces(texts)])
                #expect(outcome.isWhole() && outcome.isLike(expected), "\(texts.first ?? "")")
            }
        }
    }

    @Test("a whole response in place of a stream is the same", arguments: VendorKind.allCases)
    func wholeInPlace(kind: VendorKind) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: true, tools: ["f"])
            let json = scene.contract.whole(.rich)
            let (expected, outcome) = (await scene.ask(call, .rich), await scene.ask(call, [.whole(json)]))
            #expect(outcome.isWhole() && outcome.isLike(expected))
            let whole = await scene.ask(scene.call(isStreamed: false, tools: ["f"]), .rich)
            #expect(whole.isWhole() && whole.isLike(expected))
            let cut = await scene.ask(call, [.whole(String(json.dropLast()))])
            #expect(cut.error?.kind == .failed && cut.ends == [:])
        }
    }

    @Test("a call that is dropped ends with its request, and costs its prompt", arguments: VendorKind.allCases)
    func drops(kind: VendorKind) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: true)
            let outcome = await scene.ask(call, [scene.response(SaidResponse(), isStreamed: true)], isDropped: true)
            #expect(outcome.records.map(\.usage) == [Usage(estimating: 9, completionTokens: 0)])
        }
    }

    @Test("a character is whole whose halves are in two events", arguments: VendorKind.allCases)
    func surrogates(kind: VendorKind) async {
        await withScene(kind) { scene in
            let said = SaidResponse(
                texts: ["aHIGH", "LOWb", "HIGHc"],
                calls: [SaidResponse.Call(pieces: [#"{"x":"HIGH"#, #"LOWd"}"#])]
            )
            let events = scene.contract.events(said).map { event in
                event.replacing("HIGH", with: #"\ud83d"#).replacing("LOW", with: #"\ude00"#)
            }
            let outcome = await scene.ask(scene.call(isStreamed: true, tools: ["f"]), [.pieces(events)])
            #expect(outcome.isWhole() && outcome.texts[0] == "a\u{1f600}b\u{fffd}c", "\(outcome)")
            #expect(outcome.named == ["f {\"x\":\"\u{1f600}d\"}"], "\(outcome)")
        }
    }

    @Test("Cohere's tokens are the usage, and its billed units the cost", arguments: [true, false])
    func billedUnits(isStreamed: Bool) async {
        await withScene(.cohere) { scene in
            let report = ("9", #"8},"billed_units":{"input_tokens":5,"output_tokens":6"#)
            let usage = await scene.ask(scene.call(isStreamed: isStreamed), SaidResponse(usage: [report])).usage
            #expect(usage?.promptTokens == 9 && usage?.completionTokens == 8)
            #expect(usage.flatMap { Price("1/10")?.knownCost($0)?.nanodollars } == 65_000_000)
        }
    }

    @Test("usage is reported, missing, repeated or impossible", arguments: VendorKind.allCases, [true, false])
    func usage(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: isStreamed)
            let reported = await scene.ask(call)
            let expected = Usage(promptTokens: 9, completionTokens: 8)
            #expect(reported.usage == expected && reported.records.map(\.usage) == [expected])
            let missing = await scene.ask(call, SaidResponse(usage: []))
            #expect(missing.usage?.isEstimated == true && missing.usage?.isReported == true)
            let impossible = await scene.ask(call, SaidResponse(usage: [("9", "50000000")]))
            #expect(impossible.impossible == 1 && impossible.usage?.promptTokens == 9)
            #expect((1...50).contains(impossible.usage?.completionTokens ?? 0))
            // A kind that reports the usage once has only the last report.
            let repeated = await scene.ask(call, SaidResponse(usage: [("9", "2"), ("9", "8")]))
            #expect(repeated.usage == expected)
            let once = scene.contract.events(SaidResponse(usage: [("9", "2"), ("9", "8")]))
            #expect(scene.contract.has(.repeatedUsage) == (once != scene.contract.events(SaidResponse())))
        }
    }

    @Test("each of the vendor's words has its finish reason", arguments: VendorKind.allCases, [true, false])
    func finishes(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            for (word, reason) in scene.contract.finishes {
                let outcome = await scene.ask(scene.call(isStreamed: isStreamed), SaidResponse(finish: word))
                if let reason {
                    #expect(
                        outcome.isWhole() && outcome.ends[0] == [reason] && outcome.texts[0] == "hello there",
                        "\(word)"
                    )
                } else {
                    #expect(outcome.error != nil && outcome.ends == [:], "\(word)")
                }
            }
        }
    }

    @Test("reasoning is told from text, with its seals", arguments: VendorKind.allCases, [true, false])
    func reasoning(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: isStreamed)
            let said = SaidResponse(reasoning: "hm", signature: "c2ln", sealed: "c2VhbA==")
            let outcome = await scene.ask(call, said)
            #expect(outcome.isWhole() && outcome.texts == [0: "hello there"])
            #expect(outcome.reasoning == (scene.contract.has(.reasoning) ? "hm" : ""))
            #expect(outcome.seals == scene.contract.seals)
            #expect(scene.vendor.hidesReasoning(of: call, for: scene.model) == scene.contract.hidesReasoning)
            let hasReasoning = scene.contract.whole(said) != scene.contract.whole(SaidResponse())
            #expect(scene.contract.has(.reasoning) == hasReasoning)
        }
    }
}
