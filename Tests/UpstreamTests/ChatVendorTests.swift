import Calls
import Engine
import Limits
import Shared
import Support
import Testing

@testable import Upstream

/// Tests of what each vendor guarantees, whatever its API.
@Suite struct ChatVendorTests {
    enum Kind: String, CaseIterable, Sendable {
        case echo
        case oneMin
        case openAILike
        case scripted

        private static let worker = WorkQueue(bytes: 1 << 24)

        /// Returns a vendor whose output is `hello there`.
        func vendor(on loop: EventLoop) -> (any ChatVendor)? {
            switch self {
            case .echo: Echo(name: rawValue, loop: loop)
            case .scripted:
                ScriptedVendor([[[.text("hello "), .text("there"), .finish(.stop)]]])
            case .openAILike:
                OpenAILike(
                    VendorSite(
                        name: rawValue,
                        baseURL: "http://127.0.0.1:1/v1",
                        headers: [],
                        options: EndpointOptions()
                    ),
                    OpenAITransport(),
                    quirks: QuirkMemory(),
                    reasoningBlocks: nil,
                    tools: LoopTools(loop, JSONParser(), ids: RandomBytes(), worker: Self.worker)
                )
            case .oneMin:
                OneMin(
                    OneMinSite(
                        name: rawValue,
                        baseURL: "http://127.0.0.1:1",
                        assetURL: "http://127.0.0.1:1",
                        options: EndpointOptions()
                    ),
                    ScriptedTransport(),
                    outside: ScriptedTransport(),
                    shared: OneMin.SharedServices(),
                    tools: LoopTools(loop, JSONParser(), ids: RandomBytes(), worker: Self.worker)
                )
            }
        }
    }

    private func asked<Value: Sendable>(
        _ kind: Kind,
        isStreamed: Bool,
        _ read: @escaping @Sendable (any PreparedChat) async -> Value?
    ) async -> Value? {
        await onLoop { loop in
            guard let vendor = kind.vendor(on: loop) else { return nil }
            let admission = Admission(nil, holding: Limiter(store: nil).admitUncovered())
            let call = chatCall(isStreamed: isStreamed)
            let attempt = Attempt(.none, billing: admission.billing, on: loop)
            let chat = vendor.prepare(call, for: anyModel, by: attempt)
            chat.write()
            return await read(chat)
        }
    }

    @Test("a stream has the whole answer, and ends each choice once", arguments: Kind.allCases)
    func streams(_ kind: Kind) async {
        let heard = await asked(kind, isStreamed: true) { chat in
            do throws(UpstreamError) {
                return await hear(try await chat.open(isStreamed: true))
            } catch {
                return ChoiceOutput(failure: error.kind)
            }
        }
        #expect(heard?.texts == [0: "hello there"] && heard?.ends == [0: [.stop]] && heard?.failure == nil)
    }

    @Test("a whole answer has the text of each choice", arguments: Kind.allCases)
    func answers(_ kind: Kind) async {
        let text = await asked(kind, isStreamed: false) { chat in
            do throws(UpstreamError) {
                return try await chat.gathered().choices.map { $0.text?.text ?? "" }
            } catch {
                return ["\(error.kind)"]
            }
        }
        #expect(text == ["hello there"])
    }

    @Test(
        "a call that is dropped ends with its request, once, and costs its prompt",
        arguments: [Kind.oneMin, .openAILike]
    )
    func drops(_ kind: Kind) async {
        let (before, after) = await onLoop { loop -> ([Usage], [Usage]) in
            guard let vendor = kind.vendor(on: loop) else { return ([], []) }
            let reserved = UsageReservation(
                reserving: Amounts(),
                model: "m",
                creditsPerCall: 0,
                averages: RecentUsageAverages { 0 },
                prompt: UsageReservation.Prompt(tokens: 9)
            )
            let admission = Admission(reserved, holding: Limiter(store: nil).admitUncovered())
            let billing = admission.billing
            let attempt = Attempt(.none, billing: billing, on: loop)
            let chat = vendor.prepare(chatCall(isStreamed: true), for: anyModel, by: attempt)
            chat.write()
            (try? await chat.open(isStreamed: true))?.stop()
            let before = billing.allRecords.map(\.usage)
            end(admission)
            return (before, billing.allRecords.map(\.usage))
        }
        #expect(before == [])
        #expect(after == [Usage(estimating: 9, completionTokens: 0)])
    }

    private func end(_ admission: consuming Admission) {}

    @Test("a call may be made several times, and its prompt is counted", arguments: Kind.allCases)
    func repeats(_ kind: Kind) async {
        let tokens = await asked(kind, isStreamed: true) { chat in
            for _ in 0..<3 {
                do throws(UpstreamError) {
                    let heard = await hear(try await chat.open(isStreamed: true))
                    guard heard.texts == [0: "hello there"] else { return 0 }
                } catch {
                    return 0
                }
            }
            return chat.promptTokens
        }
        #expect(tokens ?? 0 > 0)
    }
}

/// A transport that responds like 1min.ai, as far as a chat needs it.
private final class ScriptedTransport: Transport {
    func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
        let record = #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":["hello there"]}}}"#
        let head = UpstreamHead(status: 200, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
        return UpstreamResponse(head: head, body: Body(ByteBuffer(record)))
    }

    func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
        let events =
            "event: content\ndata: {\"content\":\"hello \"}\n\nevent: content\ndata: {\"content\":\"there\"}\n\n"
            + "event: done\ndata: {}\n\n"
        return ScriptedStream([Array(events.utf8)])
    }

    func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?
    ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
}

private final class OpenAITransport: Transport {
    func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
        let response = #"{"choices":[{"message":{"content":"hello there"},"finish_reason":"stop"}]}"#
        let head = UpstreamHead(status: 200, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
        return UpstreamResponse(head: head, body: Body(ByteBuffer(response)))
    }

    func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
        let events =
            "data: {\"choices\":[{\"delta\":{\"content\":\"hello \"}}]}\n\n"
            + "data: {\"choices\":[{\"delta\":{\"content\":\"there\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        return ScriptedStream([Array(events.utf8)])
    }

    func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?
    ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
}
