import Limits
import Shared
import Support
import Testing

@testable import Engine
@testable import Upstream

/// Tests of the examples in CONTRIBUTING.md.
@Suite struct ExamplesTests {
    private static let site = VendorSite(
        name: "parrot",
        baseURL: "http://127.0.0.1:1",
        headers: [],
        options: EndpointOptions()
    )

    private func heard(_ transport: ParrotTransport, isStreamed: Bool, isLoud: Bool = false) async -> ChoiceOutput? {
        await onLoop { loop -> ChoiceOutput? in
            let tools = LoopTools(loop, JSONParser(), ids: RandomBytes(), worker: WorkQueue(bytes: 1 << 20))
            guard let vendor = Parrot(Self.site, transport, quirks: QuirkMemory(), tools: tools) else { return nil }
            let billing = Admission(nil, holding: Limiter(store: nil).admitUncovered()).billing
            let attempt = Attempt(Credential(own: "secret", label: "k0"), billing: billing, on: loop)
            var chat = vendor.prepare(chatCall(isStreamed: isStreamed), for: anyModel, by: attempt)
            if isLoud { chat = LoudChat(chat) }
            do throws(UpstreamError) {
                return await hear(try await chat.open(isStreamed: isStreamed, by: attempt))
            } catch {
                return ChoiceOutput(failure: error.kind)
            }
        }
    }

    @Test(
        "the example of a vendor sends a signed call, and reads a stream and a whole response",
        arguments: [true, false]
    )
    func vendor(isStreamed: Bool) async {
        let transport = ParrotTransport()
        let heard = await heard(transport, isStreamed: isStreamed)
        #expect(heard?.texts == [0: "hello there"] && heard?.ends == [0: [.stop]] && heard?.tokens == 2)
        let body = #"{"model":"m","said":"hello there"}"#
        let signature = hmac(key: Array("secret".utf8), Array(body.utf8)).prefix(4).map(String.init).joined()
        #expect(transport.sent.withLock { $0 } == ["\(body) Parrot-Signature: \(signature)"])
    }

    @Test("a response of the example that ends early is a failure")
    func cut() async {
        let heard = await heard(ParrotTransport(isCut: true), isStreamed: true)
        #expect(heard?.failure != nil && heard?.ends == [:])
    }

    @Test("the example of an emulation changes whole and streamed text", arguments: [true, false])
    func emulation(isStreamed: Bool) async {
        let heard = await heard(ParrotTransport(), isStreamed: isStreamed, isLoud: true)
        #expect(heard?.texts == [0: "HELLO THERE"] && heard?.ends == [0: [.stop]] && heard?.tokens == 2)
    }
}

/// A transport to a parrot that repeats "hello there".
private final class ParrotTransport: Transport {
    let sent = Lock<[String]>([])
    private let isCut: Bool

    init(isCut: Bool = false) { self.isCut = isCut }

    private func record(_ call: UpstreamCall) {
        let lines = String(decoding: call.headers.lines, as: UTF8.self).split(separator: "\r\n")
        let signature = lines.first { $0.hasPrefix("Parrot-Signature: ") } ?? ""
        sent.withLock { $0.append("\(call.body?.text ?? "") \(signature)") }
    }

    func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
        record(call)
        let head = UpstreamHead(status: 200, isEventStream: false, isJSON: true, retryAfterSeconds: nil)
        return UpstreamResponse(
            head: head,
            body: Body(ByteBuffer(#"{"says":"hello there","heard":3,"spoken":2}"#))
        )
    }

    func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
        record(call)
        let end = isCut ? "" : "data: {\"heard\":3,\"spoken\":2}\n\n"
        return ScriptedStream([Array("data: {\"says\":\"hello \"}\n\ndata: {\"says\":\"there\"}\n\n\(end)".utf8)])
    }

    func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?
    ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
}
