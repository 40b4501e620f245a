import Engine
import Shared
import Upstream

/// The record of one request, for its log line and the metrics.
struct RequestRecord {
    let id: String
    let startedAt: LoopTime
    /// The HTTP method; nil if the HTTP server refused the input before it was a complete request.
    var method: StaticString?
    /// The request id that the client sent; nil if the client sent no valid id.
    var givenID: String?
    var route: StaticString?
    /// The number that stands for the request's route in the metrics (see `LabelNames`).
    var routeLabel = LabelNames.other
    var status = 0
    /// The nanoseconds from the request's start to the response's first byte; nil if nothing was sent.
    var firstByteNanoseconds: UInt64?
    /// The time for which the request waited for its turn in limits, in milliseconds.
    var turnWaitMilliseconds = 0
    var isStreaming = false
    /// The caller as the name or digest of the key; nil before the caller is authenticated.
    var caller: String?
    /// The end user that the body names; nil if it was not read, or records have no users.
    var user: EndUser?
    /// The model that the request asked for; nil if it named no model.
    var model: String?
    /// The model that replaced the requested model; nil if the requested model was used.
    var substitute: String?
    var isStreamed: Bool?
    /// Whether the response came from the response cache.
    var isCached = false
    /// Whether the request's method and path are those of an endpoint.
    var isOfEndpoint = false
    /// Whether the request is a health check, a CORS preflight, or a request to `/metrics` or `/admin`.
    var isPolled = false
    /// Whether the request belongs to the admin page or a caller's usage page. Usage records leave the request out.
    private(set) var isOfOperator = false
    /// The name of the provider that served the request, or whose failure `cause` reports; nil if there is none.
    var provider: String?
    var usage: Usage?
    /// The cost of all upstream calls for the request; nil if it is not known.
    var cost: Cost?
    /// The part of `cost` that the metrics count with this request. For a panel, it is only the cost of the call whose
    /// response goes to the client.
    var ownCost: Cost?
    /// The kind of the provider's failure; nil if no provider failed.
    var fault: UpstreamFault?
    /// The cause of the failure, for the log; nil if there is no failure.
    var cause: String?
    /// The name of the relay's key in the failed upstream call; nil if no call failed or the call used the caller's own
    /// key.
    var key: String?
    /// The failures of candidates and keys, if several candidates or keys could serve the request; otherwise empty.
    var failures: [Billing.Failure] = []

    /// Marks the request as one of the admin page or of a caller's usage page.
    mutating func assignToPage(in counts: LoopMetrics) {
        isOfOperator = true
        counts.change(.requestsOfPages, by: 1)
    }

    mutating func record(costOf billing: Billing) {
        guard !isCached else { return }
        cost = billing.cost
        // Each call of a panel counts its own cost.
        if !billing.isOfPanel { ownCost = cost }
    }

    mutating func record(_ error: APIError) {
        fault = error.fault
        provider = error.provider
        key = error.key
        cause = error.status == 499 ? Self.clientLeft : error.cause ?? error.message
        status = error.status
        model = model ?? error.model
    }

    /// Records that the relay's shutdown, not the client, ended the request.
    mutating func recordShutdown() { (status, cause) = (503, Self.relayEnded) }

    /// Sets the provider of the request, unless a failure has named another one, and adds it to the cause of a failure.
    mutating func name(provider last: String?) {
        if provider == nil { provider = last }
        guard let fault, fault != .cancelled, let provider, let cause else { return }
        self.cause = "\(provider): \(cause.replacing("<NAME>", with: provider.asInstance))"
    }

    /// Records that the relay closed the connection because the client did not read its response.
    mutating func record(stallSeconds seconds: Int) { cause = "the client did not read its response for \(seconds) s" }

    /// Counts the request in the metrics. It is called once, when the request has ended.
    mutating func count(in counts: LoopMetrics, at now: LoopTime) {
        // The function is `mutating` only to avoid a copy.
        counts.change(.requests, by: -1)
        if isOfOperator {
            counts.change(.requestsOfPages, by: -1)
            counts.change(.endedRequestsOfPages, by: 1)
        }
        if isStreaming { counts.change(.streams, by: -1) }
        if status >= 500 || isVendorShort {
            if !isPolled { counts.change(.failedRequests, by: 1) }
        } else if status == 429 {
            counts.change(.refusedRequests, by: 1)
        }
        for failure in failures { counts.count(failure.fault, of: failure.provider) }
        if failures.isEmpty, let fault, let provider { counts.count(fault, of: provider) }
        counts.count(
            LoopMetrics.EndCounts(
                route: routeLabel,
                model: model,
                status: status,
                durationNanoseconds: now.nanoseconds(since: startedAt),
                firstByteNanoseconds: firstByteNanoseconds,
                caller: caller,
                promptTokens: isCached ? 0 : usage?.promptTokens ?? 0,
                completionTokens: isCached ? 0 : usage?.completionTokens ?? 0,
                cost: ownCost
            )
        )
    }

    /// Writes the log line of the request, without its prompt, response and keys.
    /// - Parameter client: the client's address; nil to leave it out.
    mutating func write(to log: Log, at now: LoopTime, client: PeerAddress? = nil) {
        // The function is `mutating` only to avoid a copy.
        guard log.isOn(level) else { return }
        var line = log.line(level, "request")
        if let givenID {
            line.add("id", givenID)
            line.add("request_id", word: id)
        } else {
            line.add("id", word: id)
        }
        if let method { line.add("method", word: method) }
        if let route { line.add("route", word: route) }
        line.add("status", status)
        line.add("duration_ms", now.milliseconds(since: startedAt))
        line.add("first_byte_ms", Int((firstByteNanoseconds ?? 0) / 1_000_000))
        if turnWaitMilliseconds > 0 { line.add("limits_wait_ms", turnWaitMilliseconds) }
        if let caller { line.add("caller", word: caller) }
        if let client { line.add("client", client.text) }
        line.add("model", model)
        line.add("served_by", substitute)
        if let provider { line.add("provider", word: provider) }
        if let isStreamed { line.add("stream", isStreamed) }
        if isCached { line.add("cached", true) }
        if let usage {
            line.add("prompt_tokens", usage.promptTokens)
            line.add("completion_tokens", usage.completionTokens)
        }
        if let cost { line.add("cost", number: cost.text) }
        line.add("key", key)
        line.add("cause", cause)
        // `cause` has the failure of the candidate whose error the client got.
        let others = failures.filter { ($0.provider, $0.key, $0.fault) != (provider, key, fault) }
        if !others.isEmpty { line.add("failed", others.map(\.text).joined(separator: "; ")) }
        log.write(line)
    }

    /// Whether the vendor's account has no credit, or the vendor's rate limit is reached.
    private var isVendorShort: Bool { provider != nil && (status == 402 || status == 429) }

    /// Whether the request is a poll, such as a health check, that ended as usual: with a status below 400 or with 503.
    var isRoutinePoll: Bool { isPolled && (status < 400 || status == 503) }

    /// The level of the log line. A warning means that an operator should look at the request.
    private var level: LogLevel {
        if isRoutinePoll { return .debug }
        // A refused key of the relay has probably expired. Warn even if another provider served the request.
        let isKeyRefused = failures.contains { $0.fault == .badKey && $0.key != nil }
        // The vendor of a caller's own key concerns the caller alone.
        return status >= 500 || isKeyRefused || isVendorShort && key != nil ? .warning : .info
    }
}

extension Billing.Failure {
    /// The failure as text, such as `groq-1 k2: the vendor answered 402`.
    fileprivate var text: String { "\(provider)\(key.map { " \($0)" } ?? ""): \(cause)" }
}
