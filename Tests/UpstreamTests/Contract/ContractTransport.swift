import Engine
import Upstream

/// A transport with scripted responses, which it gives in turn. The last one is repeated.
///
/// `@unchecked`: used on one loop only.
final class ContractTransport: Transport, @unchecked Sendable {
    enum Response: Sendable {
        case whole(String)
        case pieces([String], TransportError? = nil)
        case error(Int, String, retryAfter: Int? = nil)
        case failure(TransportError)
    }

    var responses: [Response] = []
    private(set) var requests: [(location: String, body: String)] = []
    private var streams: [ScriptedStream] = []

    /// Whether each stream was stopped once.
    var isClosed: Bool { streams.allSatisfy { $0.stops == 1 } }

    func begin(_ responses: [Response]) {
        self.responses = responses
        requests = []
        streams = []
    }

    private func next(_ call: UpstreamCall) -> Response {
        requests.append((call.endpoint.location, call.body?.bytes.text ?? ""))
        return responses.count > 1 ? responses.removeFirst() : responses[0]
    }

    func send(_ call: UpstreamCall) async throws(TransportError) -> UpstreamResponse {
        var (status, text, wait) = (200, "", Int?.none)
        switch next(call) {
        case .whole(let json): text = json
        case .pieces(let pieces, nil): text = pieces.joined()
        case .pieces(_, let failure?), .failure(let failure): throw failure
        case .error(let code, let json, let seconds): (status, text, wait) = (code, json, seconds)
        }
        let head = UpstreamHead(status: status, isEventStream: false, isJSON: true, retryAfterSeconds: wait)
        return UpstreamResponse(head: head, body: Body(ByteBuffer(text)))
    }

    func open(_ call: UpstreamCall) async throws(TransportError) -> any UpstreamStream {
        let stream: ScriptedStream
        switch next(call) {
        case .whole(let json): stream = ScriptedStream([Array(json.utf8)], isEventStream: false)
        case .pieces(let pieces, let failure):
            stream = ScriptedStream(pieces.filter { !$0.isEmpty }.map { Array($0.utf8) }, failure: failure)
        case .error(let status, let json, let seconds):
            stream = ScriptedStream(
                [Array(json.utf8)],
                isEventStream: false,
                status: status,
                retryAfterSeconds: seconds
            )
        case .failure(let failure): throw failure
        }
        streams.append(stream)
        return stream
    }

    func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?
    ) throws(TransportError) -> any UpstreamUpload { throw TransportError(.unreachable) }
}

/// A capacity without a limit, which counts what calls take of it.
///
/// `@unchecked`: used on one loop only.
final class CountingCapacity: CallCapacity, @unchecked Sendable {
    /// The number of call starts, and of slots that were taken and given back.
    private(set) var starts = 0
    private(set) var taken = 0
    private(set) var freed = 0

    func acquire(
        for credential: Credential,
        isAfterAnother: Bool,
        _ patience: CapacityWait,
        by end: LoopTime,
        on loop: EventLoop
    ) async throws(UpstreamError) -> HeldCapacity {
        starts += 1
        if isAfterAnother { return HeldCapacity(freed: {}) }
        taken += 1
        return HeldCapacity { [self] in freed += 1 }
    }
}
