import Engine
import Foundation
import Shared
import Testing

@testable import Upstream

/// Tests of all kinds of vendors with responses that break off, are errors or are wrong.
@Suite struct FaultContractTests {
    // MARK: Cuts

    @Test("a stream that ends early is a failure, wherever it is cut", arguments: VendorKind.allCases, [false, true])
    func cuts(kind: VendorKind, isBroken: Bool) async {
        await withScene(kind) { scene in
            let events = scene.contract.events(SaidResponse())
            let bytes = Array(events.joined().utf8)
            let failure = isBroken ? TransportError(.broken) : nil
            let isLenient = scene.contract.isLenientAtEnd
            let needed = events.dropLast(isBroken && !isLenient ? 0 : scene.contract.spareEvents).joined().utf8.count
            for cut in 0..<bytes.count {
                let text = String(decoding: bytes[..<cut], as: UTF8.self)
                let outcome = await scene.ask(scene.call(isStreamed: true), [.pieces([text], failure)])
                let isWhole = cut >= (isBroken || !isLenient ? needed : needed - 2)
                #expect(outcome.isWhole() == isWhole, "\(cut) of \(needed): \(outcome)")
                if isWhole { continue }
                #expect(outcome.error?.kind == .failed && outcome.error?.recovery == .nextCandidate, "\(cut)")
                #expect(outcome.ends == [:] && "hello there".hasPrefix(outcome.texts[0] ?? ""), "\(cut)")
            }
        }
    }

    @Test("a stream without an end is cut once it has begun", arguments: VendorKind.allCases)
    func isCut(kind: VendorKind) async {
        await withScene(kind) { scene in
            let events = scene.contract.events(SaidResponse())
            for count in 0..<events.count - scene.contract.spareEvents {
                let text = events.prefix(count).joined()
                let ended = await scene.ask(scene.call(isStreamed: true), [.pieces([text])])
                #expect(ended.error?.isCut == (count >= scene.contract.begunEvents), "\(count)")
                let broken = await scene.ask(scene.call(isStreamed: true), [.pieces([text], TransportError(.broken))])
                #expect(broken.error?.fault == .broken && broken.error?.isCut == false, "\(count)")
            }
        }
    }

    @Test("a whole response that is cut is a failure", arguments: VendorKind.allCases)
    func wholeCuts(kind: VendorKind) async {
        await withScene(kind) { scene in
            let bytes = Array(scene.contract.whole(SaidResponse()).utf8)
            let call = scene.call(isStreamed: false)
            for cut in 0..<bytes.count {
                let outcome = await scene.ask(call, [.whole(String(decoding: bytes[..<cut], as: UTF8.self))])
                #expect(outcome.error?.kind == .failed && outcome.ends == [:], "\(cut)")
            }
            for failure in [TransportError.Kind.unreachable, .broken, .firstByteTimeout, .overloaded] {
                let outcome = await scene.ask(call, [.failure(TransportError(failure))])
                #expect(outcome.error?.kind == UpstreamError(TransportError(failure)).kind)
                #expect(outcome.error?.mayBeBilled == (failure != .unreachable))
            }
        }
    }

    // MARK: Errors

    private static let faults: [Int: ContractFault] = [
        400: ContractFault(.badRequest, []),
        401: ContractFault(.badKey, [.nextKey, .nextCandidate], .fixed(seconds: 300)),
        402: ContractFault(
            .outOfCredit,
            [.nextKey, .nextCandidate],
            .doubling(fromSeconds: 300, toSeconds: 3_600)
        ),
        403: ContractFault(.forbidden, [.nextKey, .nextCandidate], .fixed(seconds: 300)),
        404: ContractFault(.unknownModel, .nextCandidate),
        408: ContractFault(.timedOut, .nextCandidate),
        429: ContractFault(.rateLimited, [.nextKey, .nextCandidate], .reported(seconds: 7)),
        500: ContractFault(.failed, .nextCandidate),
        503: ContractFault(.unavailable, .nextCandidate),
        529: ContractFault(.unavailable, .nextCandidate),
    ]

    @Test("each status has its kind, recovery and cooldown", arguments: VendorKind.allCases, [true, false])
    func statuses(kind: VendorKind, isStreamed: Bool) async {
        for (status, usual) in Self.faults {
            await withScene(kind) { scene in
                let fault = scene.contract.faults[status] ?? usual
                let message = status == 404 ? "The model was not found." : "The call failed."
                let body = scene.contract.error(status, message)
                let response = ContractTransport.Response.error(status, body, retryAfter: status == 429 ? 7 : nil)
                let outcome = await scene.ask(scene.call(isStreamed: isStreamed), [response])
                #expect(outcome.error?.kind == fault.kind, "\(status)")
                #expect(outcome.error?.recovery == fault.recovery, "\(status)")
                #expect(outcome.error?.cooldown == fault.cooldown, "\(status)")
                #expect(outcome.error?.status == status && outcome.ends == [:], "\(status)")
                #expect(outcome.records.allSatisfy { $0.status == status && $0.usage == .nothing }, "\(status)")
            }
        }
    }

    /// Texts of a caller that are also words of vendors about keys, accounts and models.
    private static let echoes = [
        "insufficient balance", "your credit balance is too low", "this model is at capacity", "api key not valid",
        "the model was not found", "INSUFFICIENT_CREDITS for this", "the key was leaked",
    ]

    @Test("words of the request in an error concern no other request", arguments: VendorKind.allCases, [true, false])
    func echoedWords(kind: VendorKind, isStreamed: Bool) async {
        for text in Self.echoes {
            await withScene(kind) { scene in
                var call = scene.call(isStreamed: isStreamed)
                call.messages = [ChatMessage(role: .user, text: text)]
                let messages = [
                    "Wrong input: '\(text)'.", "Wrong: \(text.uppercased()), at 3.", "Wrong: \"\(text.prefix(19))...\"",
                ]
                for message in messages {
                    let body = scene.contract.error(400, message)
                    let outcome = await scene.ask(call, [.error(400, body)])
                    #expect(outcome.error?.kind == .badRequest && outcome.error?.cooldown == nil, "\(message)")
                }
            }
        }
    }

    @Test("a refusal of a caller's own key concerns no other call", arguments: VendorKind.allCases, [true, false])
    func callersKeys(kind: VendorKind, isStreamed: Bool) async {
        await withScene(kind) { scene in
            scene.key = Credential(passedOn: "key of a caller")
            for status in [400, 401, 402, 403, 404, 429] {
                for message in ["The call failed.", "The model was not found.", "You have no access to this model."] {
                    let response = ContractTransport.Response.error(
                        status,
                        scene.contract.error(status, message),
                        retryAfter: status == 429 ? 60 : nil
                    )
                    let outcome = await scene.ask(scene.call(isStreamed: isStreamed), [response])
                    guard let error = outcome.error, error.kind != .failed else { continue }
                    #expect(!error.recovery.contains(.nextKey), "\(status) \(message)")
                    let (balance, key) = (Balance(BalanceSettings()), Balance.BreakerKey(provider: 0, model: "m"))
                    for _ in 0..<20 where error.isOfProvider { balance.conclude(key, error, at: .current()) }
                    #expect(!balance.hasFailures, "\(status) \(message)")
                }
            }
        }
    }

    @Test("an error in a response of status 200 is an error", arguments: VendorKind.allCases)
    func errorsInside(kind: VendorKind) async {
        await withScene(kind) { scene in
            let (body, expected) = scene.contract.errorInside
            let whole = await scene.ask(scene.call(isStreamed: false), [.whole(body)])
            #expect(whole.error?.kind == expected && whole.ends == [:])
            let inPlace = await scene.ask(scene.call(isStreamed: true), [.whole(body)])
            #expect(inPlace.error?.kind == expected && inPlace.ends == [:])
            let events = scene.contract.events(SaidResponse())
            for count in 0..<events.count - scene.contract.spareEvents {
                let text = events.prefix(count).joined() + body.event("error")
                let outcome = await scene.ask(scene.call(isStreamed: true), [.pieces([text])])
                #expect(outcome.error?.kind == expected && outcome.ends == [:], "\(count)")
            }
        }
    }

    /// Errors of servers in front of a vendor, in forms that are not the vendor's.
    private static let foreign: [(json: String, kind: UpstreamError.Kind)] = [
        (#"{"error":{"message":"Slow down","code":429}}"#, .rateLimited),
        (#"{"error":{"message":"It failed","code":500}}"#, .failed),
        (#"{"code":500,"msg":"NOT_FOUND","success":false}"#, .failed),
    ]

    @Test(
        "an error in another form within a stream is an error",
        arguments: [VendorKind.openai, .responses, .anthropic]
    )
    func foreignErrors(kind: VendorKind) async {
        await withScene(kind) { scene in
            let events = scene.contract.events(SaidResponse())
            for (json, expected) in Self.foreign {
                for text in [json.event(), (events.first ?? "") + json.event()] {
                    let outcome = await scene.ask(scene.call(isStreamed: true), [.pieces([text])])
                    #expect(outcome.error?.kind == expected && outcome.error?.isCut == false, "\(text)")
                }
                let odd = [#"{"code":0,"message":"success"}"#, #"{"code":"x"}"#].map { $0.event() }
                let served = await scene.ask(scene.call(isStreamed: true), [.pieces(odd + events)])
                #expect(served.isWhole())
            }
        }
    }

    @Test("words of a failure are an error if the stream then ends", arguments: [VendorKind.openai, .cloudflare])
    func possibleErrors(kind: VendorKind) async {
        await withScene(kind) { scene in
            let events = [scene.contract.events(SaidResponse())[0], #"{"name":"Error","message":"It failed"}"#.event()]
            for (text, fails) in [("", true), (scene.contract.events(SaidResponse())[1], false)] {
                let all = (events + [text, "[DONE]".event()]).joined()
                let outcome = await scene.ask(scene.call(isStreamed: true), [.pieces([all])])
                #expect(outcome.isWhole() != fails && outcome.error?.kind == (fails ? .failed : nil))
            }
        }
    }

    @Test("a count of tokens that is no number does not say that Cloudflare's stream is cut")
    func unreadableCount() async {
        await withScene(.cloudflare) { scene in
            let usage = #"{"response":"","usage":{"prompt_tokens":1,"completion_tokens":"x"}}"#
            let text = [#"{"response":"a"}"#, usage, "[DONE]"].map { $0.event() }.joined()
            let outcome = await scene.ask(scene.call(isStreamed: true), [.pieces([text])])
            #expect(outcome.isWhole() && outcome.ends == [0: [.stop]])
        }
    }

    // MARK: Wrong fields

    /// Returns the JSON once for each of its values and each wrong value in its place, with the path of the value.
    private static func wrong(_ json: String) -> [(path: String, json: String)] {
        guard let root = try? JSONSerialization.jsonObject(with: Data(json.utf8)) else { return [] }
        var texts: [(path: String, json: String)] = []
        let values: [Any] = [NSNull(), true, -1, 1e300, "x", [Any](), [[String: Any]()], [String: Any]()]
        func visit(_ value: Any, _ path: String, _ rebuilt: (Any?) -> Any) {
            for wrong in values.map(Optional.some) + [nil] {
                guard let data = try? JSONSerialization.data(withJSONObject: rebuilt(wrong), options: .sortedKeys)
                else {
                    continue
                }
                texts.append((path, String(decoding: data, as: UTF8.self)))
            }
            if let members = value as? [String: Any] {
                for (name, member) in members {
                    visit(member, "\(path).\(name)") { inner in
                        var changed = members
                        changed[name] = inner
                        return rebuilt(changed)
                    }
                }
            }
            if let elements = value as? [Any] {
                for (index, element) in elements.enumerated() {
                    visit(element, "\(path).\(index)") { inner in
                        var changed = elements
                        if let inner { changed[index] = inner } else { changed.remove(at: index) }
                        return rebuilt(changed)
                    }
                }
            }
        }
        if let members = root as? [String: Any] {
            for (name, member) in members {
                visit(member, name) { inner in
                    var changed = members
                    changed[name] = inner
                    return changed
                }
            }
        }
        return texts
    }

    @Test("wrong fields are ignored, and an error only if they are needed", arguments: VendorKind.allCases)
    func wrongFields(kind: VendorKind) async {
        await withScene(kind) { scene in
            var needed: Set<String> = []
            func check(_ path: String, _ json: String, _ response: ContractTransport.Response) async {
                let isStreamed = if case .pieces = response { true } else { false }
                let outcome = await scene.ask(scene.call(isStreamed: isStreamed, tools: ["f"]), [response])
                #expect(outcome.isWhole() != (outcome.error != nil), "\(path) \(json)")
                // Positions in lists are left out.
                let name = path.split(separator: ".").last { $0.first?.isNumber == false }
                if outcome.error != nil { needed.insert(String(name ?? "")) }
            }
            for (path, json) in Self.wrong(scene.contract.whole(.rich)) { await check(path, json, .whole(json)) }
            let events = scene.contract.events(.rich)
            for (index, event) in events.enumerated() {
                let lines = event.split(separator: "\n")
                let name = lines.count > 1 ? String(lines[0].dropFirst("event: ".count)) : nil
                for (path, json) in Self.wrong(String(lines.last?.dropFirst("data: ".count) ?? "")) {
                    var changed = events
                    changed[index] = json.event(name)
                    await check(path, json, .pieces([changed.joined()]))
                }
            }
            #expect(needed == scene.contract.neededFields)
        }
    }
}
