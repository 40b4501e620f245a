import Calls
import Engine
import Shared

/// The record of one request, written by its stages. Its log line and all counters are made from it.
struct RequestRecord {
    let id: String
    let startedAt: LoopTime
    /// The HTTP method; nil if the server refused the input before it was a complete request.
    var method: StaticString?
    /// The client's own id of the request; nil if it sent none.
    var givenID: String?
    var route: StaticString?
    /// The number of the route in the counters.
    var routeLabel = LabelNames.other
    var status = 0
    /// The time from the start to the first byte of the response; nil if nothing was sent.
    var firstByteNanoseconds: UInt64?
    var isStreaming = false
    /// The name of a known key, or a digest.
    var caller: String?
    /// The model that the request named.
    var model: String?
    /// The model that served the request in place of the requested one.
    var substitute: String?
    var isStreamed: Bool?
    /// Whether the response came from the cache.
    var isCached = false
    /// The provider that served the request.
    var provider: String?
    var usage: Usage?
    /// The cost of all upstream calls for the request; nil if it is not known.
    var cost: Cost?
    /// The cost without calls that are counted separately.
    var ownCost: Cost?
    /// The cause of a failure, for the log.
    var cause: String?
    /// The kind of the provider's failure.
    var fault: UpstreamFault?
    /// The name of the provider's own key that failed.
    var key: String?
    /// The failures of candidates, if there were several.
    var failures: [CallLedger.Failure] = []
    /// Whether machines poll this endpoint, such as for its health.
    var isPolled = false
    /// Whether an operator or a caller looks at the relay: such requests are not in usage records.
    var isOfOperator = false

    init(id: String, startedAt: LoopTime) {
        self.id = id
        self.startedAt = startedAt
    }

    mutating func record(costOf callLedger: CallLedger) {
        guard !isCached else { return }
        cost = callLedger.cost
        // Each call of a panel counts its own cost.
        if !callLedger.isOfPanel { ownCost = cost }
    }

    mutating func record(_ error: APIError) {
        fault = error.fault
        key = error.key
        cause = error.cause ?? (error.status == 499 ? nil : error.message)
        status = error.status
    }

    /// Records that the connection was closed because its client read nothing.
    mutating func record(stallSeconds seconds: Int) {
        cause = "the client did not read its response for \(seconds) s"
    }

    /// Counts the request. Called once when it has ended, before its last bytes are sent. `mutating` only avoids a
    /// copy: the record does not change.
    mutating func count(in counts: LoopMetrics, at now: LoopTime) {
        counts.change(.requests, by: -1)
        if isStreaming { counts.change(.streams, by: -1) }
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

    /// Writes one log line, without prompt, response and keys. `mutating` only avoids a copy: the record does not
    /// change.
    mutating func write(to log: Log, at now: LoopTime) {
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
        if let caller { line.add("caller", word: caller) }
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
        if !failures.isEmpty { line.add("failed", failures.map(\.text).joined(separator: "; ")) }
        log.write(line)
    }

    /// Whether the request is a machine's poll with an expected result.
    var isRoutinePoll: Bool { isPolled && (status < 400 || status == 503) }

    /// The level of the log line. A warning is something that an operator has to look at. A 503 that says that the
    /// relay is not ready is intended.
    private var level: LogLevel {
        if isRoutinePoll { return .debug }
        // A refused key of the relay has probably expired. Warn even if another provider served the request.
        let isKeyRefused = failures.contains { $0.fault == .badKey && $0.key != nil }
        return status >= 500 || isKeyRefused ? .warning : .info
    }
}

extension CallLedger.Failure {
    /// The failure as text, such as `groq-1 k2: the vendor answered 402`.
    fileprivate var text: String { "\(provider)\(key.map { " \($0)" } ?? ""): \(cause)" }
}
