import Calls
import Engine
import Shared

/// The record of one request: the one input of its log line and of the counts. Stages write it.
struct RequestRecord {
    let id: String
    let startedAt: LoopTime
    /// Nil: the server refused it before it was a request.
    var method: StaticString?
    /// As the client calls the request, if that is an id.
    var givenID: String?
    var route: StaticString?
    /// The route's number in the counts.
    var routeLabel = LabelNames.other
    var status = 0
    /// Nil: nothing was answered.
    var firstByteNanoseconds: UInt64?
    var isStreaming = false
    /// A known key's name, or a digest.
    var caller: String?
    /// As it was asked for.
    var model: String?
    /// The model that served in its place.
    var substitute: String?
    var isStreamed: Bool?
    /// The answer was kept from an earlier request.
    var isCached = false
    /// The provider that served it.
    var provider: String?
    var usage: Usage?
    /// Of all calls that were made for it; nil: not known.
    var cost: Cost?
    /// The same, without calls that were counted apart.
    var ownCost: Cost?
    /// Why it failed.
    var cause: String?
    /// The kind of its provider's failure.
    var fault: UpstreamFault?
    /// The provider's own key that it failed with.
    var key: String?
    /// Of candidates, where there were several.
    var failures: [CallSheet.Failure] = []
    /// Machines ask such things all the time.
    var isPolled = false
    /// Whether an operator or a caller looks at the relay: such requests are not in usage records.
    var isOfOperator = false

    init(id: String, startedAt: LoopTime) {
        self.id = id
        self.startedAt = startedAt
    }

    mutating func note(costOf sheet: CallSheet) {
        guard !isCached else { return }
        cost = sheet.cost
        // Each call of a panel tells its own.
        if !sheet.isOfPanel { ownCost = cost }
    }

    mutating func note(_ error: APIError) {
        fault = error.fault
        key = error.key
        cause = error.cause ?? (error.status == 499 ? nil : error.message)
        status = error.status
    }

    /// The connection was closed because its client read nothing.
    mutating func note(stallSeconds seconds: Int) {
        cause = "the client read nothing of its response for \(seconds) s"
    }

    /// Once, when nothing more is done for the request; before its last bytes leave. It changes nothing: in place, the
    /// record need not be copied.
    mutating func count(in counts: LoopMetrics, at now: LoopTime) {
        counts.change(.requests, by: -1)
        if isStreaming { counts.change(.streams, by: -1) }
        for failure in failures { counts.count(failure.fault, of: failure.provider) }
        if failures.isEmpty, let fault, let provider { counts.count(fault, of: provider) }
        counts.count(
            LoopMetrics.Ended(
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

    /// One line, never a prompt, an answer or a key. It changes nothing, either.
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

    /// A machine's question that was answered as usual.
    var isOfNoInterest: Bool { isPolled && (status < 400 || status == 503) }

    /// A warning is something that an operator has to look at. A relay that says that it is not ready does so on
    /// purpose.
    private var level: LogLevel {
        if isOfNoInterest { return .debug }
        // A key of the relay's own that is refused has ended, also where another provider serves.
        let isKeyRefused = failures.contains { $0.fault == .badKey && $0.key != nil }
        return status >= 500 || isKeyRefused ? .warning : .info
    }
}

extension CallSheet.Failure {
    /// `groq-1 k2: the vendor answered 402`
    fileprivate var text: String { "\(provider)\(key.map { " \($0)" } ?? ""): \(cause)" }
}
