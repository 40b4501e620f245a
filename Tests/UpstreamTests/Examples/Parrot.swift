import Engine
import Shared

@testable import Upstream

// The smallest vendor with an API of its own, as CONTRIBUTING.md ("Add a vendor") describes one.
//
// Its API: `POST /talk` with `{"model":"m","said":"..."}`, signed in `Parrot-Signature` with the key. It streams events
// `{"says":"..."}`, and at the end `{"heard":3,"spoken":2}`. A whole response has all these members. An error is
// `{"error":"..."}`.

/// The vendor: its name, its endpoints, and the abilities of its models.
final class Parrot: ChatVendor, OnLoop, @unchecked Sendable {
    private let wire: WireVendor
    private let talk: Endpoint

    init?(_ site: VendorSite, _ transport: any Transport, quirks: QuirkMemory, tools: LoopTools) {
        guard let talk = Endpoint(site.baseURL + "/talk", site.options) else { return nil }
        let headers = KeyHeaders(own: site.headers) { _ in ["Content-Type: application/json"] }
        wire = WireVendor(site.name, transport, headers: headers, quirks: quirks, tools: tools)
        self.talk = talk
    }

    var name: String { wire.name }
    /// The APIs in which the vendor accepts clients' requests unchanged; none, because no client uses the vendor's API.
    var wires: [Wire] { [] }
    var keepsDeadlines: Bool { true }

    /// All that is not listed here (tools, formats, stops, choices, images) is emulated.
    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { [] }

    func prepare(_ call: ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        let quirks = wire.known(model, for: call.quirks)
        return WireChat(wire, ParrotForm(talk, model), call: call, model: model, attempt: attempt, quirks: quirks)
    }
}

/// The form of one call: its body, its endpoint, and the reader of its response.
private final class ParrotForm: WireForm, OnLoop, @unchecked Sendable {
    private let talk: Endpoint
    private let model: String

    init(_ talk: Endpoint, _ model: Model) { (self.talk, self.model) = (talk, model.id) }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        var said = ""
        for message in call.messages {
            for case .text(let text) in message.content { said += text }
        }
        var body = ByteBuffer(#"{"model":"#)
        body.append(json: model)
        body.append(#","said":"#)
        body.append(json: said)
        body.append("}")
        return WrittenCall(Body(body))
    }

    func headers(_ headers: KeyHeaders, for key: String, of body: Body?, to endpoint: Endpoint) -> UpstreamHeaders {
        let signature = hmac(key: Array(key.utf8), Array((body?.text ?? "").utf8)).prefix(4)
        return headers.headers(for: key, replacing: ["Parrot-Signature: \(signature.map(String.init).joined())"])
    }

    func endpoint(isStreamed: Bool) -> Endpoint { talk }
    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader { ParrotReader(parser) }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, { _ in nil }, namesFields: false)
    }

    // The vendor has no quirks that the relay learns.
    func quirk(_ refusal: Refusal) -> QuirkFinding? { nil }
}

/// The reader of one response, which turns the vendor's events into those of every vendor.
private final class ParrotReader: WireReader, OnLoop, @unchecked Sendable {
    private let parser: JSONParser
    private(set) var usage: Usage?
    private(set) var hasBegun = false
    private(set) var isFinished = false

    init(_ parser: JSONParser) { self.parser = parser }

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        let root = try parser.response(event.data)
        if root.containsError { throw ErrorResponseReader.error(in: root) { _ in nil } }
        if let says = root["says"]?.string {
            hasBegun = true
            says.withBytes { emit(0, .text($0)) }
        }
        if let heard = root["heard"]?.tokens, let spoken = root["spoken"]?.tokens {
            usage = Usage(promptTokens: heard, completionTokens: spoken)
            isFinished = true
        }
        return false
    }

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        _ = try consume(EventStreamParser.Event(body), emit)
    }

    func end(_ emit: Emit) throws(UpstreamError) {
        guard isFinished else { throw .invalidResponse("the response broke off") }
        emit(0, .finish(.stop, stop: nil))
    }
}
