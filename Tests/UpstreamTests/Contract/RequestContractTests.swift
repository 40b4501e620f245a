import Engine
import Shared
import Testing

@testable import Upstream

/// Tests of the quirks that all kinds of vendors learn from refusals, and of their lists of models.
@Suite struct RequestContractTests {
    /// Returns a call with many optional fields.
    private static func call(_ scene: ContractScene, isStreamed: Bool) -> ChatCall {
        var call = scene.call(isStreamed: isStreamed)
        var options = ChatOptions()
        options.sampling.temperature = 0.5
        options.sampling.topP = 0.5
        options.sampling.topK = 5
        options.sampling.seed = 5
        options.sampling.presencePenalty = 0.5
        options.bookkeeping.user = "u"
        options.bookkeeping.serviceTier = "auto"
        options.bookkeeping.promptCacheKey = "c"
        call.chatOptions = options
        return call
    }

    /// Returns whether the request has the field, which may be named by a path.
    private static func has(_ field: String, _ request: String) -> Bool {
        request.contains(#""\#(field.split(separator: ".").last ?? "")":"#)
    }

    private static func refusal(_ scene: ContractScene, _ field: String) -> ContractTransport.Response {
        .error(400, scene.contract.error(400, "\(field) is not supported with this model."))
    }

    @Test("a refused field is left out, and in later requests", arguments: VendorKind.allCases, [true, false])
    func learns(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            let call = Self.call(scene, isStreamed: isStreamed)
            let response = scene.response(SaidResponse(), isStreamed: isStreamed)
            let field = scene.contract.optionalFields.first ?? "temperature"
            let outcome = await scene.ask(call, [Self.refusal(scene, field), response])
            guard scene.contract.has(.quirks) else {
                #expect(outcome.requests.count == 1 && outcome.error?.kind == .badRequest)
                return
            }
            #expect(outcome.isWhole() && outcome.requests.map { Self.has(field, $0.body) } == [true, false])
            #expect(outcome.records.map(\.status) == [400, 200])
            #expect(outcome.records.map(\.usage.completionTokens) == [0, 8])
            let later = await scene.ask(call, [response])
            #expect(later.isWhole() && later.requests.map { Self.has(field, $0.body) } == [false])
        }
    }

    @Test("a request is changed at most three times", arguments: VendorKind.allCases, [true, false])
    func bounds(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            guard scene.contract.has(.quirks) else { return #expect(scene.contract.optionalFields.isEmpty) }
            let fields = scene.contract.optionalFields
            let refusals = fields.map { Self.refusal(scene, $0) }
            let call = Self.call(scene, isStreamed: isStreamed)
            let outcome = await scene.ask(call, refusals + [scene.response(SaidResponse(), isStreamed: isStreamed)])
            #expect(fields.allSatisfy { Self.has($0, outcome.requests.first?.body ?? "") })
            #expect(outcome.requests.count == 4 && outcome.error?.kind == .badRequest)
            #expect(outcome.records.allSatisfy { $0.status == 400 && $0.usage == .nothing })
        }
    }

    @Test("the list of models is read, or fails", arguments: VendorKind.allCases)
    func lists(kind: VendorKind) async {
        await withScene(kind) { scene in
            let (contract, transport) = (scene.contract, scene.transport)
            guard let list = contract.list(transport) else { return #expect(!contract.has(.list)) }
            #expect(contract.has(.list))
            transport.begin([.whole(contract.listBody)])
            #expect((try? await list.models().map(\.id)) == ["a", "b"])
            for response in [
                .whole("{}"), .whole("[]"), .whole(""), .failure(TransportError(.unreachable)),
                .error(401, contract.error(401, "No.")), .whole(String(contract.listBody.dropLast())),
            ] as [ContractTransport.Response] {
                transport.begin([response])
                #expect((try? await list.models()) == nil)
            }
        }
    }
}
