import Calls
import Engine
import Shared

/// One chat call to a vendor with an HTTP API: sends the request and reads the response.
///
/// `@unchecked`: used on its event loop only, except for `write`.
final class WireChat: PreparedChat, @unchecked Sendable {
    let vendor: WireVendor
    let form: any WireForm
    let model: Model
    private let attempt: Attempt
    /// The chat call; nil after `write` has written it as the request body.
    private var call: ChatCall?
    var body: Body?
    private var countedTokens: Int?
    /// The messages of a short prompt, to estimate its tokens later; empty if the prompt is long.
    private var texts: [ChatMessage] = []
    /// The quirks that were known for the model when the call was prepared.
    let known: QuirkMemory.Known
    /// The caller for whom quirks are remembered, and what this call has met before.
    let callQuirks: CallQuirks
    /// The quirks for which the request body was written or changed.
    var quirks: Set<Quirk>
    /// The quirks that this call has learned from the vendor's responses.
    var learned: [QuirkFinding] = []
    /// The known quirks that this call ignores, to find out whether they still hold.
    var tried: [QuirkFinding] = []
    /// Whether the response must come from a web search.
    let mustSearch: Bool
    private var bounds: UsageBounds

    /// Creates the call.
    init(
        _ vendor: WireVendor,
        _ form: any WireForm,
        call: consuming ChatCall,
        model: Model,
        attempt: Attempt,
        quirks: QuirkMemory.Known
    ) {
        self.vendor = vendor
        self.form = form
        bounds = UsageBounds(call, model)
        callQuirks = call.quirks
        mustSearch = call.needs.contains(.searchOptions)
        self.call = call
        self.model = model
        self.attempt = attempt
        known = quirks
        self.quirks = quirks.sure
    }

    func write() {
        guard var call = call.take() else { return }
        call.moveAttachmentsToUser()
        body = form.written(call, with: quirks)
        if !known.others.isEmpty { applyOthers() }
        if let sent = form.maxTokens { bounds.raise(toCompletionTokens: sent) }
        if call.textBytes <= ChatCall.keptBytes {
            texts = call.messages
        } else if !call.attachments.isEmpty || !TokenCounter.of(model).isExact {
            countedTokens = call.promptTokens
        }
    }

    var promptTokens: Int {
        write()
        if let countedTokens { return countedTokens }
        let tokens = texts.isEmpty ? bodyTokens : ChatCall.estimatedTokens(of: texts)
        countedTokens = tokens
        texts = []
        return tokens
    }

    /// A rough estimate of the prompt's tokens, from the size of the request body.
    private var bodyTokens: Int {
        var estimate = PromptEstimate()
        if let body { estimate.add(body.bytes) }
        return max(1, estimate.tokens)
    }

    private func upstream(isStreamed: Bool) throws(UpstreamError) -> UpstreamCall {
        write()
        if let refusal = form.refusal { throw UpstreamError(refusing: refusal) }
        attempt.isRebuilt = form.isRebuilt
        let route = form.route
        return UpstreamCall(
            endpoint: route?.endpoint(isStreamed: isStreamed) ?? form.endpoint(isStreamed: isStreamed),
            headers: form.headers(route?.headers ?? vendor.headers, for: route?.key ?? attempt.key),
            body: body,
            by: attempt.billing.deadline
        )
    }

    /// Makes attempts at the route's locations until one succeeds or the route allows no more.
    private func open(at route: any WireRoute, isStreamed: Bool) async throws(UpstreamError) -> any ChatStream {
        var isRepeated = false
        while true {
            write()
            if let refusal = form.refusal { throw UpstreamError(refusing: refusal) }
            try await route.begin()
            do throws(UpstreamError) {
                let stream = try await openOnce(isStreamed: isStreamed)
                route.served()
                return stream
            } catch {
                guard let failure = route.failure(after: error) else {
                    try await attempt.prepareRepeat(after: error)
                    continue
                }
                guard !isRepeated else { throw failure }
                try await attempt.waitToRepeat(after: failure)
                isRepeated = true
            }
        }
    }

    func open(isStreamed: Bool) async throws(UpstreamError) -> any ChatStream {
        if let route = form.route { return try await open(at: route, isStreamed: isStreamed) }
        do throws(UpstreamError) {
            return try await openOnce(isStreamed: isStreamed)
        } catch {
            try await attempt.waitToRepeat(after: error)
            return try await openOnce(isStreamed: isStreamed)
        }
    }

    @inline(__always)
    private func openOnce(isStreamed: Bool) async throws(UpstreamError) -> any ChatStream {
        isStreamed ? try await streamOnce() : try await wholeOnce()
    }

    // MARK: Whole responses

    private func wholeOnce() async throws(UpstreamError) -> LoggedStream {
        write()
        if form.gathersStream { return try await gathered() }
        let response = try await attempt.send(try upstream(isStreamed: false), on: vendor.transport)
        guard response.head.status / 100 == 2 else {
            try rewrite(after: response.head, response.body.bytes)
            try await remake { () async throws(UpstreamError) in
                try await attempt.prepareRepeat(after: response.head.status)
            }
            return try await wholeOnce()
        }
        let read: (response: LoggedStream, pause: PausedResponse?)?
        do throws(UpstreamError) {
            read = try await self.read(response.body)
            // Without a result, the worker thread may still use `form`.
            if read != nil { keepQuirks() }
        } catch {
            let error = unserved(error)
            guard isRewritten(afterResponse: error) else { throw judged(error) }
            try await remake { () async throws(UpstreamError) in try await attempt.prepareRepeat(after: error) }
            return try await wholeOnce()
        }
        guard let read else { throw .tooMuchWork }
        guard let pause = read.pause else { return read.response }
        try await prepareToGoOn(after: pause)
        return try await wholeOnce()
    }

    private func gathered() async throws(UpstreamError) -> LoggedStream {
        let stream = try await streamOnce()
        defer { stream.stop() }
        do throws(UpstreamError) {
            return try await logged(stream)
        } catch {
            throw judged(error)
        }
    }

    /// Reads a stream to its end, within the limits of a complete response.
    private func logged(_ stream: WireStream) async throws(UpstreamError) -> LoggedStream {
        let log = EventLog()
        var reservation: MemoryReservation?
        repeat {
            while try stream.next({ log.join($0, $1) }) {
                let bytes = log.bytes.count
                guard bytes <= ChatResponse.limitBytes else {
                    throw .invalidResponse("the vendor's response is too long")
                }
                guard stream.budget?.covers(bytes, &reservation) ?? true else {
                    throw UpstreamError(TransportError(.overloaded))
                }
            }
        } while try await stream.more(patienceNanoseconds: .max / 4) != .end
        return LoggedStream(log, usage: stream.usage, reservation: reservation)
    }

    /// Parses a complete response.
    ///
    /// - Returns: the response, with a `PausedResponse` if the vendor paused the response. Nil if the worker thread is
    ///   too busy or the client has disconnected; then the event loop must not use `form` any more.
    private func read(_ body: Body) async throws(UpstreamError) -> (LoggedStream, PausedResponse?)? {
        let (form, bounds) = (form, bounds)
        guard body.bytes.count > WorkQueue.loopBytes else {
            let reader = reader
            defer { attempt.models = bounds.checked(reader.models, of: reader.usage) }
            return try Self.read(body, by: reader, bounds)
        }
        let read = await vendor.tools.worker.result(ofBytes: body.bytes.count, on: vendor.tools.loop) {
            let reader = form.reader(JSONParser(), RandomBytes())
            let response = Result { () throws(UpstreamError) in try Self.read(body, by: reader, bounds) }
            return (response, models: bounds.checked(reader.models, of: reader.usage))
        }
        guard let read else { return nil }
        attempt.models = read.models
        return try read.0.get()
    }

    private static func read(
        _ body: Body,
        by reader: any WireReader,
        _ bounds: UsageBounds
    ) throws(UpstreamError) -> (LoggedStream, PausedResponse?) {
        let log = EventLog()
        do throws(UpstreamError) {
            let original = try reader.readAny(whole: body) { log.append($0, $1) }
            return (
                LoggedStream(log, usage: bounds.checked(reader.usage, by: reader.models), original: original),
                reader.pause
            )
        } catch {
            var error = error.after(reader.usage)
            error.usage = bounds.checked(error.usage, by: reader.models)
            throw error
        }
    }

    // MARK: Streams

    private func streamOnce() async throws(UpstreamError) -> WireStream {
        let stream = WireStream(try await opened(), reader, headers: vendor.headers, bounds: bounds)
        stream.route = form.route
        attempt.models = stream
        if form.mayGoOn {
            stream.goOn = { [self, unowned stream] (pause) async throws(UpstreamError) in
                let rest = try await goOn(after: pause)
                attempt.models = stream
                return rest
            }
        }
        do throws(UpstreamError) {
            try await stream.begin()
            keepQuirks()
            return stream
        } catch {
            stream.stop()
            let error = unserved(error)
            guard isRewritten(afterResponse: error) else { throw judged(error) }
            try await remake { () async throws(UpstreamError) in try await attempt.prepareRepeat(after: error) }
            return try await streamOnce()
        }
    }

    /// Opens the stream. If the vendor refuses the request because of a quirk, sends the changed request.
    private func opened() async throws(UpstreamError) -> any UpstreamStream {
        while true {
            let opened = try await attempt.open(try upstream(isStreamed: true), on: vendor.transport)
            if opened.head.status / 100 == 2 { return opened }
            let refusal = try await self.refusal(opened)
            try rewrite(after: opened.head, refusal.bytes)
            try await remake { () async throws(UpstreamError) in
                try await attempt.prepareRepeat(after: opened.head.status)
            }
        }
    }

    // MARK: Further parts

    private func prepareToGoOn(after pause: PausedResponse) async throws(UpstreamError) {
        bounds.addCall()
        if let request = body { body = form.goingOn(request, after: pause) }
        try await attempt.goOn()
        try await form.route?.begin()
    }

    /// Requests the rest of a response that the vendor paused, and returns the new stream.
    private func goOn(after pause: PausedResponse) async throws(UpstreamError) -> any UpstreamStream {
        try await prepareToGoOn(after: pause)
        return try await opened()
    }

    /// Reads an error response's body and stops the stream. Returns an empty body if reading fails.
    private func refusal(_ stream: any UpstreamStream) async throws(UpstreamError) -> Body {
        var isComplete = false
        defer { stream.stop(isComplete: isComplete) }
        do throws(TransportError) {
            let body = try await stream.collect(limitBytes: WireStream.eventLimitBytes)
            isComplete = true
            return body
        } catch {
            if error.kind == .cancelled { throw UpstreamError(error) }
            return Body(ByteBuffer())
        }
    }

    private var reader: any WireReader { form.reader(vendor.tools.parser, vendor.tools.ids) }

    var errorReader: ErrorResponseReader { form.errorReader(vendor.tools.parser) }

    /// Returns the error without secrets, and without recovery options if a passthrough key was refused.
    func judged(_ error: UpstreamError) -> UpstreamError {
        var error = vendor.headers.hiding(error, form.route?.token)
        // For a passthrough key, the relay must not use another key.
        guard attempt.isCallersKey else { return error }
        switch error.kind {
        case .badKey, .outOfCredit, .forbidden, .rateLimited: error.recovery = []
        default: break
        }
        return error
    }
}
