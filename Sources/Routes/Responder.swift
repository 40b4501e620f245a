import Engine
import Shared

/// Answers one request in OpenAI's manner, and keeps what its log line says.
///
/// `@unchecked`: used on its request's loop only.
final class Responder: @unchecked Sendable {
    /// nil: the server refused it before it was one.
    let request: Request?
    let writer: any ResponseWriter
    let gateway: Gateway
    let requestID: String
    var record = RequestRecord()
    /// The id at the end of the request's path, where its route has one.
    var named: String?
    /// For `Allow`.
    var allowed: [StaticString] = []
    /// Who asks, and for what kind of thing, once that is known.
    var asking: (caller: Caller, group: EndpointGroup)?
    /// How the limits stand that cover the request.
    var standing: Decision?
    /// Against limits, until nothing more is done for the request.
    var hold: Hold?
    /// Nil: no limit counts what is known late.
    var meter: Meter?
    /// For `X-Relay-Cost`.
    var cost: Cost?
    /// For `X-Relay-Provider`.
    var provider: String?
    /// Of who answers; nil: not known.
    var price: Price?
    /// Candidates that were tried, for `X-Relay-Attempts`.
    var attempts = 1
    private let startedNanoseconds: UInt64
    private(set) var hasBegun = false
    private var isStreaming = false
    private var isBinary = false

    init(_ request: Request?, _ writer: any ResponseWriter, _ gateway: Gateway) {
        self.request = request
        self.writer = writer
        self.gateway = gateway
        requestID = gateway.ids.id("req_")
        startedNanoseconds = gateway.loop.nowNanoseconds
        gateway.counts.change(.requests, by: 1)
    }

    // MARK: Whole answers

    func send(_ status: Int = 200, json body: borrowing ByteBuffer) {
        send(status, type: "application/json", body: body)
    }

    func send(_ status: Int, type: StaticString, body: borrowing ByteBuffer) {
        let head = head(status, type: type)
        begin(status)
        writer.send(head, body: body)
    }

    func sendPreflight() {
        record.route = "OPTIONS"
        record.routeLabel = Router.preflightLabel
        record.isPolled = true
        var head = head(204, type: nil)
        head.add("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        let wanted = request?[.accessControlRequestHeaders]?.text
        head.add("Access-Control-Allow-Headers", text: wanted ?? "authorization, content-type")
        head.add("Access-Control-Max-Age", "86400")
        begin(204)
        writer.send(head, body: ByteBuffer())
    }

    // MARK: Streams

    func beginEvents() {
        var head = head(200, type: "text/event-stream; charset=utf-8")
        head.add("Cache-Control", "no-cache")
        head.add("X-Accel-Buffering", "no")
        begin(200)
        isStreaming = true
        gateway.counts.change(.streams, by: 1)
        writer.begin(head)
    }

    /// A body in pieces, in which no error can be told.
    func beginBytes(type: String) {
        var head = head(200, type: nil)
        head.add("Content-Type", text: type)
        begin(200)
        isBinary = true
        writer.begin(head)
    }

    // MARK: Errors

    /// Before the answer has begun an answer of its own, after that a last event, or in binary content a cut.
    func fail(_ error: APIError) {
        record.fault = error.fault
        record.key = error.key
        record.cause = error.cause ?? (error.status == 499 ? nil : error.message)
        if error.status == 499 {
            record.status = 499
            writer.cut()
        } else if isBinary {
            record.status = error.status
            writer.cut()
        } else if hasBegun {
            record.status = error.status
            var event = ByteBuffer()
            event.append("data: ")
            error.appendJSON(to: &event)
            event.append("\n\n")
            writer.write(event)
            writer.end()
        } else {
            var body = ByteBuffer()
            error.appendJSON(to: &body)
            var head = head(error.status, type: "application/json")
            if !allowed.isEmpty { head.add("Allow", text: allowed.map { "\($0)" }.joined(separator: ", ")) }
            if let standing, !standing.isAdmitted {
                standing.appendRetry(to: &head.fields)
            } else {
                addRetry(error, &head)
            }
            if error.status == 429 { head.add("X-Relay-Limited-By", error.isFromVendor ? "upstream" : "relay") }
            begin(error.status)
            writer.send(head, body: body)
        }
    }

    private func addRetry(_ error: APIError, _ head: inout ResponseHead) {
        if let seconds = error.retryAfterSeconds {
            head.add("Retry-After", text: "\(seconds)")
            head.add("Retry-After-Ms", text: "\(seconds * 1_000)")
        }
        let isLongWait = error.retryAfterSeconds.map { $0 > 120 } ?? false
        if error.isHopeless || isLongWait { head.add("X-Should-Retry", "false") }
    }

    // MARK: Heads

    private func begin(_ status: Int) {
        hasBegun = true
        // What was asked is with the vendor, or of no more use.
        request?.body.giveBackLarge()
        record.status = status
        record.firstByteNanoseconds = gateway.loop.nowNanoseconds - startedNanoseconds
    }

    private func head(_ status: Int, type: StaticString?) -> ResponseHead {
        var head = ResponseHead(status: status)
        if let type { head.add("Content-Type", type) }
        head.add("X-Request-ID", text: requestID)
        head.fields.append("OpenAI-Processing-Ms: ")
        head.fields.append(decimal: Int((gateway.loop.nowNanoseconds - startedNanoseconds) / 1_000_000))
        head.fields.append("\r\n")
        addOrigin(&head)
        standing?.appendLimits(to: &head.fields)
        if let provider {
            head.add("X-Relay-Provider", text: provider)
            head.fields.append("X-Relay-Attempts: ")
            head.fields.append(decimal: attempts)
            head.fields.append("\r\nX-Relay-Cache: off\r\n")
            if let cost { head.add("X-Relay-Cost", text: cost.text) }
        }
        return head
    }

    /// A scheme, a name of at most 253 bytes, and a port.
    private static let originLimitBytes = 300

    private func addOrigin(_ head: inout ResponseHead) {
        head.fields.append(gateway.commonFields.bytes)
        guard !gateway.isOpenToAllOrigins, let given = request?[.origin], given.count <= Self.originLimitBytes,
            case let origin = given.text, gateway.settings.corsOrigins.contains(origin.lowercased())
        else { return }
        head.add("Access-Control-Allow-Origin", text: origin)
    }

    // MARK: Counts

    /// What the answer cost; nil: not known.
    private var spent: Cost? {
        guard let price, let usage = record.usage else { return nil }
        return price.cost(usage)
    }

    /// Once, when nothing more is done for the request; before its last bytes leave.
    func countRequest() {
        let counts = gateway.counts
        counts.change(.requests, by: -1)
        if isStreaming { counts.change(.streams, by: -1) }
        if let fault = record.fault, let provider { counts.count(fault, of: provider) }
        counts.count(
            LoopMetrics.Ended(
                route: record.routeLabel,
                model: record.model,
                status: record.status,
                durationNanoseconds: gateway.loop.nowNanoseconds - startedNanoseconds,
                firstByteNanoseconds: hasBegun ? record.firstByteNanoseconds : nil,
                caller: record.caller,
                promptTokens: record.usage?.promptTokens ?? 0,
                completionTokens: record.usage?.completionTokens ?? 0,
                usdParts: spent?.usdParts ?? 0
            )
        )
    }

    // MARK: Log

    /// One line, never a prompt, an answer or a key.
    func logRequest() {
        let ended = gateway.loop.nowNanoseconds
        gateway.log.write(record.level, "request") { line in
            if let given = request?[.id], Self.isID(given) {
                line.add("id", given)
                line.add("request_id", word: requestID)
            } else {
                line.add("id", word: requestID)
            }
            if let request { line.add("method", word: request.method.name) }
            if let route = record.route { line.add("route", word: route) }
            line.add("status", record.status)
            line.add("duration_ms", Int((ended - startedNanoseconds) / 1_000_000))
            line.add("first_byte_ms", Int(record.firstByteNanoseconds / 1_000_000))
            if let caller = record.caller { line.add("caller", word: caller) }
            line.add("model", record.model)
            if let provider { line.add("provider", word: provider) }
            if let isStreamed = record.isStreamed { line.add("stream", isStreamed) }
            if let usage = record.usage {
                line.add("prompt_tokens", usage.promptTokens)
                line.add("completion_tokens", usage.completionTokens)
            }
            if let spent { line.add("cost", number: spent.text) }
            line.add("key", record.key)
            line.add("cause", record.cause)
        }
    }

    /// 1 to 64 of letters, digits, `.`, `_`, `-`.
    private static func isID(_ text: UnsafeRawBufferPointer) -> Bool {
        text.count <= 64
            && text.allSatisfy {
                switch $0 {
                case 48...57, 65...90, 97...122, 45, 46, 95: true
                default: false
                }
            }
    }
}

/// What a request's log line says, and what it is counted by, besides its times.
struct RequestRecord {
    var route: StaticString?
    /// How counts name the route.
    var routeLabel = LabelNames.other
    var status = 0
    var firstByteNanoseconds: UInt64 = 0
    /// A known key's name, or a digest.
    var caller: String?
    /// As it was asked for.
    var model: String?
    var isStreamed: Bool?
    var usage: Usage?
    /// Why it failed.
    var cause: String?
    /// How its provider failed.
    var fault: UpstreamFault?
    /// Which of the provider's own keys it failed with.
    var key: String?
    /// Machines ask such things all the time.
    var isPolled = false

    /// What an operator has to look at is a warning. A relay that says that it is not ready does so on purpose.
    var level: LogLevel {
        if isPolled, status < 400 || status == 503 { return .debug }
        return status >= 500 ? .warning : .info
    }
}
