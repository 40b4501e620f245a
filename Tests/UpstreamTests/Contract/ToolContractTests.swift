import Engine
import Shared
import Testing

@testable import Upstream

/// Tests of all kinds of vendors with tools, names and choices.
@Suite struct ToolContractTests {
    private static let arguments = #"{"x":"a\"b","n":[1,2.5,{}]}"#

    private static func said(_ pieces: [String]) -> SaidResponse {
        SaidResponse(calls: [SaidResponse.Call(pieces: pieces), SaidResponse.Call(id: "call_b", name: "g")])
    }

    @Test("calls are the same wherever their arguments are cut", arguments: VendorKind.allCases, [true, false])
    func calls(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            let call = scene.call(isStreamed: isStreamed, tools: ["f", "g"])
            let bytes = Self.arguments.utf8.count
            // A kind without pieces sends the same bytes at each cut.
            let cuts = isStreamed && scene.contract.has(.callPieces) ? 0...bytes : 0...0
            for cut in cuts {
                let pieces = [String(Self.arguments.prefix(cut)), String(Self.arguments.dropFirst(cut))]
                let outcome = await scene.ask(call, Self.said(pieces))
                #expect(outcome.named == ["f \(Self.arguments)", #"g {"x":1}"#], "\(cut)")
                #expect(outcome.isWhole() && outcome.ends == [0: [.toolCalls]] && outcome.texts[0] == "hello there")
                let ids = outcome.calls.compactMap(\.id)
                #expect((ids == ["call_a", "call_b"]) == scene.contract.has(.callIDs) && Set(ids).count == 2)
            }
            let isCut = scene.contract.events(Self.said(["{", "}"])) != scene.contract.events(Self.said(["{}"]))
            #expect(scene.contract.has(.callPieces) == isCut)
        }
    }

    @Test("Google's arguments may be a text, but not in parts", arguments: [VendorKind.gemini, .vertexGemini])
    func textArguments(kind: VendorKind) async {
        await withScene(kind) { scene in
            let json = scene.contract.whole(SaidResponse(calls: [SaidResponse.Call(pieces: [#"{"x":1}"#.quoted])]))
            let call = scene.call(isStreamed: false, tools: ["f"])
            #expect(await scene.ask(call, [.whole(json)]).named == [#"f {"x":1}"#])
            let parts = json.replacing(#""args""#, with: #""partialArgs""#)
            #expect(await scene.ask(call, [.whole(parts)]).error?.kind == .failed)
        }
    }

    @Test("a name that the vendor does not allow comes back", arguments: VendorKind.allCases, [true, false])
    func toolNames(kind: VendorKind, isStreamed: Bool) async throws {
        await withScene(kind) { scene in
            let name = scene.contract.oddName
            let call = scene.call(isStreamed: isStreamed, tools: [name])
            _ = await scene.ask(call)
            let request = scene.transport.requests.first?.body ?? ""
            var sent = name
            if scene.contract.has(.shortNames) {
                #expect(!request.contains(name.quoted))
                let tools = request.split(separator: #""tools":"#).last ?? ""
                sent = String(tools.split(separator: #""name":""#).dropFirst().first?.prefix { $0 != "\"" } ?? "")
            } else {
                #expect(request.contains(name))
            }
            let said = SaidResponse(calls: [SaidResponse.Call(name: sent)])
            let outcome = await scene.ask(call, said)
            #expect(outcome.named == ["\(name) {\"x\":1}"], "\(sent)")
        }
    }

    @Test("a model's name goes on unchanged, escaped in a path", arguments: VendorKind.allCases)
    func modelNames(kind: VendorKind) async {
        await withScene(kind) { scene in
            scene.model = Model(chatModel: "a/b:c@1 d#2", owner: "")
            let outcome = await scene.ask(scene.call(isStreamed: false))
            let request = outcome.requests.first
            let isInPath = request?.location.contains("/a/b:c@1%20d%232") ?? false
            let isInBody = request?.body.contains(#""model":"a/b:c@1 d#2""#) ?? false
            #expect(outcome.isWhole() && isInPath != isInBody, "\(outcome.requests)")
        }
    }

    @Test("two choices are one call or two, and one bill", arguments: VendorKind.allCases, [true, false])
    func choices(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            let isNative = scene.contract.has(.nativeChoices)
            let call = scene.call(isStreamed: isStreamed, choices: 2)
            let outcome = await scene.ask(call, SaidResponse(choices: isNative ? 2 : 1))
            #expect(outcome.isWhole(choices: 2) && outcome.texts == [0: "hello there", 1: "hello there"])
            #expect(outcome.requests.count == (isNative ? 1 : 2))
            #expect(outcome.requests.allSatisfy { $0.body.contains(#""n":2"#) == isNative })
            #expect(outcome.usage == Usage(promptTokens: 9, completionTokens: isNative ? 8 : 16))
            #expect(outcome.expectedTokens == (isNative ? 4 : 8))
        }
    }
}
