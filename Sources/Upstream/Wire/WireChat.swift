import Engine
import Shared

/// One chat call to a vendor with an HTTP API: sends the request and reads the response. Several choices are concurrent
/// calls with one request, which each of them may change.
///
/// `@unchecked`: used on its event loop only, except for `write`.
final class WireChat: PreparedChat, @unchecked Sendable {
    let vendor: WireVendor
    let form: any WireForm
    /// The route of the form; nil if the vendor has one location.
    let route: (any WireRoute)?
    let model: Model
    /// Whether the call uses the caller's own key for the vendor.
    private let isCallersKey: Bool
    /// The chat call; nil after `write` has written it as the request.
    private var call: ChatCall?
    /// The number of choices in the response of one call.
    private let choices: Int
    /// The request; nil before `write`.
    var request: WrittenCall?
    private var countedTokens: Int?
    /// The messages of a prompt whose tokens are estimated later, if at all; empty if the prompt is too long to be kept.
    private var texts: [ChatMessage] = []
    /// The estimated tokens of the tools and the output schema, which `texts` leaves out.
    private var toolTokens = 0
    /// The quirks that were known for the model when the call was prepared.
    let known: QuirkMemory.Known
    /// The caller for whom quirks are remembered, and what this call has met before.
    let callQuirks: CallQuirks
    /// The quirks for which the request body was written or changed.
    var quirks: Set<Quirk>
    /// The quirks that the vendor's responses to this call have shown.
    var findings: RequestFindings
    /// The known lack of an ability that this request meets beside another field; nil if it meets none.
    var lack: Indirect<QuirkFinding>?
    /// Whether the response must come from a web search.
    let mustSearch: Bool
    private var bounds: UsageBounds
    /// The parts of each choice's response before the vendor's pauses, by its attempt. All choices share the request.
    private var parts: [ObjectIdentifier: [PausedResponse]] = [:]

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
        route = form.route
        bounds = UsageBounds(call, model)
        callQuirks = call.quirks
        mustSearch = call.needs.contains(.searchOptions)
        choices = call.choices
        self.call = consume call
        self.model = model
        findings = RequestFindings(vendor, model, callQuirks.owner)
        isCallersKey = attempt.isCallersKey
        known = quirks
        self.quirks = quirks.sure
    }

    func write() {
        guard var call = call.take() else { return }
        if form.movesAttachments { call.moveAttachmentsToUser() }
        request = form.written(call, with: quirks)
        if !known.others.isEmpty { applyOthers(needs: call.needs) }
        toolTokens = call.estimatedToolTokens
        if let sent = request?.maxTokens { bounds.raise(toCompletionTokens: sent) }
        // The request's memory is held until its response begins, and for a whole response this is its end.
        if call.textBytes <= (call.isStreamed ? ChatCall.keptBytes : WorkQueue.loopBytes) {
            texts = call.messages
        } else if !call.attachments.isEmpty || !TokenCounter.of(model).isExact {
            countedTokens = tokensInBody ?? call.promptTokens + toolTokens
        }
    }

    var promptTokens: Int {
        write()
        if let countedTokens { return countedTokens }
        let tokens = tokensInBody ?? (texts.isEmpty ? bodyTokens : ChatCall.estimatedTokens(of: texts) + toolTokens)
        countedTokens = tokens
        texts = []
        return tokens
    }

    /// The estimated tokens of the prompt's part of the request body; nil if the form names no such part.
    private var tokensInBody: Int? {
        guard let body = request?.body, let prompt = request?.prompt else { return nil }
        var estimate = TokenEstimate()
        estimate.add(body.bytes[part: prompt])
        return max(1, estimate.tokens)
    }

    /// A rough estimate of the prompt's tokens, from the size of the request body.
    private var bodyTokens: Int {
        var estimate = PromptEstimate()
        if let body = request?.body { estimate.add(body.bytes) }
        return max(1, estimate.tokens)
    }

    private func parts(by attempt: Attempt) -> [PausedResponse] {
        parts.isEmpty ? [] : parts[ObjectIdentifier(attempt)] ?? []
    }

    /// Returns the body of an attempt's next call, which asks for the rest of the response after a pause.
    private func body(by attempt: Attempt) -> Body? {
        let parts = parts(by: attempt)
        guard let body = request?.body, !parts.isEmpty else { return request?.body }
        let joined = form.rewritten(parts.reduce(body) { form.goingOn($0, after: $1) }, with: quirks)
        return findings.learned.reduce(joined) { $1.applied(to: $0) }
    }

    private func upstream(isStreamed: Bool, by attempt: Attempt) -> UpstreamCall {
        attempt.isRebuilt = request?.source == .rebuilt
        attempt.choices = choices
        if !quirks.isEmpty, quirks.contains(where: \.dropsSearchTool) { attempt.billing.leaveOut("web_search") }
        let body = body(by: attempt)
        let endpoint = route?.endpoint(isStreamed: isStreamed) ?? form.endpoint(isStreamed: isStreamed)
        let (headers, key) = (route?.headers ?? vendor.headers, route?.key ?? attempt.key)
        return UpstreamCall(
            endpoint: endpoint,
            headers: form.headers(headers, for: key, of: body, to: endpoint),
            body: body,
            by: attempt.billing.deadline
        )
    }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        guard isStreamed else { return LoggedStream(try await gathered(by: attempt)) }
        write()
        return try await called(by: attempt) { () async throws(UpstreamError) in try await streamOnce(by: attempt) }
    }

    func gathered(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse {
        write()
        if request?.gathersStream ?? false { return try await gatheredStream(by: attempt) }
        return try await called(by: attempt) { () async throws(UpstreamError) in try await wholeOnce(by: attempt) }
    }

    @inline(never)  // Rarely called.
    private func gatheredStream(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse {
        try await called(by: attempt) { () async throws(UpstreamError) in
            switch try await streamOnce(by: attempt) {
            case .response(let stream): .response(try await gathered(stream))
            case .next(let end): .next(after: end)
            }
        }
    }

    /// The outcome of one call to the vendor.
    private enum Outcome<Response: Sendable>: Sendable {
        case response(Response)
        /// Another call, with a request that was changed for a quirk, or for the rest of a paused response.
        case next(after: FollowedEnd)
    }

    /// The end of a call that another one follows.
    private indirect enum FollowedEnd: Sendable {
        case refused(status: Int)
        case unusable(UpstreamError)
        /// The vendor paused the response.
        case paused
    }

    /// Calls the vendor with `once` until it returns a response. Records the ends of the calls before that one.
    ///
    /// This is the only loop that repeats a call to one candidate with one key.
    /// - Parameter isRest: whether this is the rest of a response that the vendor paused, which is not repeated.
    private func called<Response: Sendable>(
        by attempt: Attempt,
        isRest: Bool = false,
        _ once: () async throws(UpstreamError) -> Outcome<Response>
    ) async throws(UpstreamError) -> Response {
        if let refusal = request?.refusal { throw UpstreamError(refusing: refusal) }
        if lack != nil { throw failureOfLack }
        try form.checkSupport()
        if !isRest {
            // Another choice's attempt may have had the same address.
            if !parts.isEmpty { parts[ObjectIdentifier(attempt)] = nil }
            try await route?.begin()
        }
        var isRepeated = false
        while true {
            do throws(UpstreamError) {
                switch try await once() {
                case .response(let response):
                    route?.served()
                    return response
                case .next(let end):
                    try await prepareNext(after: end, by: attempt)
                    continue
                }
            } catch {
                if isRest { throw error }
                form.learn(from: error)
                if let failure = route.map({ $0.failure(after: error) }) ?? error {
                    guard !isRepeated else { throw failure }
                    try await attempt.waitToRepeat(after: failure)
                    isRepeated = true
                } else {
                    try await attempt.next(after: error)
                }
            }
            try form.checkSupport()
            try await route?.begin()
        }
    }

    @inline(never)  // Rarely called.
    private func prepareNext(after end: FollowedEnd, by attempt: Attempt) async throws(UpstreamError) {
        try await findings.keeping { () async throws(UpstreamError) in
            switch end {
            case .refused(let status): try await attempt.next(afterRefusal: status)
            case .unusable(let error): try await attempt.next(after: error)
            case .paused: try await attempt.nextPart()
            }
        }
        if case .paused = end { try await route?.begin() }
    }

    // MARK: Whole responses

    private func wholeOnce(by attempt: Attempt) async throws(UpstreamError) -> Outcome<ChatResponse> {
        let sent = quirks
        let response = try await attempt.send(upstream(isStreamed: false, by: attempt), on: vendor.transport)
        return try await result(of: response, to: sent, by: attempt)
    }

    /// Reads the response to a call.
    /// - Parameter sent: the quirks for which the request was changed.
    @inline(never)  // Its variables would be a part of each waiting call's frame.
    private func result(
        of response: UpstreamResponse,
        to sent: Set<Quirk>,
        by attempt: Attempt
    ) async throws(UpstreamError) -> Outcome<ChatResponse> {
        guard response.head.status / 100 == 2 else {
            try change(after: response.head, response.body, to: sent, by: attempt)
            return .next(after: .refused(status: response.head.status))
        }
        let read: (response: ChatResponse, pause: PausedResponse?)?
        do throws(UpstreamError) {
            let isShort = response.body.bytes.count <= WorkQueue.loopBytes
            read = isShort ? try self.read(response.body, by: attempt) : try await readLater(response.body, by: attempt)
            // Without a result, the worker thread may still use `form`.
            if read != nil { keepQuirks() }
        } catch {
            try change(afterUnusable: error, to: sent, by: attempt)
            return .next(after: .unusable(error))
        }
        guard let read else { throw .tooMuchWork }
        guard let pause = read.pause else { return .response(read.response) }
        keep(pause, of: attempt)
        return .next(after: .paused)
    }

    /// Reads a stream to its end, within the limits of a complete response, and stops it.
    @inline(never)  // Rarely called.
    private func gathered(_ stream: WireStream) async throws(UpstreamError) -> ChatResponse {
        defer { stream.stop() }
        let log = EventLog()
        var reservation: MemoryReservation?
        do throws(UpstreamError) {
            repeat {
                while try stream.next({ log.join($0, $1) }) {
                    let bytes = log.bytes.count
                    guard bytes <= ChatResponse.limitBytes else {
                        throw UpstreamError.invalidResponse("the vendor's response is too long")
                    }
                    guard stream.budget?.covers(bytes, &reservation) ?? true else {
                        throw UpstreamError(TransportError(.overloaded))
                    }
                }
            } while try await stream.more(patienceNanoseconds: .max / 4) != .end
        } catch {
            throw judged(error)
        }
        return try await LoggedStream(log, usage: stream.usage, reservation: reservation).gathered()
    }

    /// Parses a complete response.
    /// - Returns: the response, with a `PausedResponse` if the vendor paused the response.
    private func read(_ body: Body, by attempt: Attempt) throws(UpstreamError) -> (ChatResponse, PausedResponse?) {
        let reader = reader(after: parts(by: attempt))
        defer { attempt.models = bounds.checked(reader.models, of: reader.usage) }
        return try Self.read(body, by: reader, bounds)
    }

    /// Parses a long complete response on the worker thread.
    /// - Returns: what `read` returns; nil if the worker thread is too busy or the client has disconnected. Then the event
    ///   loop must not use `form` any more.
    @inline(never)  // Rarely called.
    private func readLater(
        _ body: Body,
        by attempt: Attempt
    ) async throws(UpstreamError) -> (ChatResponse, PausedResponse?)? {
        let (form, bounds, parts) = (form, bounds, parts(by: attempt))
        let read = await vendor.tools.worker.result(ofBytes: body.bytes.count, on: vendor.tools.loop) {
            let reader = form.reader(JSONParser(), RandomBytes(), after: parts)
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
    ) throws(UpstreamError) -> (ChatResponse, PausedResponse?) {
        var gathered = ResponseAccumulator()
        do throws(UpstreamError) {
            let original = try reader.readAny(whole: body) { gathered.append($0, $1) }
            let usage = bounds.checked(reader.usage, by: reader.models)
            var response = ChatResponse(gathered.finished(), usage: usage, credits: reader.credits)
            response.original = original
            return (response, reader.pause)
        } catch {
            var error = error.after(reader.usage)
            error.usage = bounds.checked(error.usage, by: reader.models)
            (error.partial as? LoggedStream)?.usage = error.usage
            throw error
        }
    }

    // MARK: Streams

    /// Calls the vendor once, and waits for the first event.
    /// - Parameter paused: the stream whose rest is requested; nil for a new one.
    private func streamOnce(
        by attempt: Attempt,
        restOf paused: WireStream? = nil
    ) async throws(UpstreamError) -> Outcome<WireStream> {
        let sent = quirks
        let opened = try await attempt.open(upstream(isStreamed: true, by: attempt), on: vendor.transport)
        guard opened.head.status / 100 == 2 else {
            let refused = try await opened.refusal(limitBytes: WireStream.eventLimitBytes)
            try change(after: opened.head, refused, to: sent, by: attempt)
            return .next(after: .refused(status: opened.head.status))
        }
        if let paused {
            attempt.models = paused
            paused.goOn(with: opened)
            return .response(paused)
        }
        let stream = WireStream(opened, reader(after: parts(by: attempt)), headers: vendor.headers, bounds: bounds)
        stream.route = route
        attempt.models = stream
        if request?.mayGoOn ?? false {
            stream.goOn = { [self, unowned stream] (pause) async throws(UpstreamError) in
                keep(pause, of: attempt)
                try await prepareNext(after: .paused, by: attempt)
                _ = try await called(by: attempt, isRest: true) { () async throws(UpstreamError) in
                    try await streamOnce(by: attempt, restOf: stream)
                }
            }
        }
        do throws(UpstreamError) {
            try await stream.begin()
            keepQuirks()
        } catch {
            stream.stop()
            try change(afterUnusable: error, to: sent, by: attempt)
            return .next(after: .unusable(error))
        }
        return .response(stream)
    }

    /// Keeps a part that the vendor paused, for the request of the rest.
    @inline(never)  // Rarely called.
    private func keep(_ pause: PausedResponse, of attempt: Attempt) {
        bounds.addCall()
        parts[ObjectIdentifier(attempt), default: []].append(pause)
    }

    private func reader(after parts: [PausedResponse]) -> any WireReader {
        form.reader(vendor.tools.parser, vendor.tools.ids, after: parts)
    }

    var errorReader: ErrorResponseReader { form.errorReader(vendor.tools.parser) }

    /// Returns the request as far as its caller chose its content.
    /// - Parameter attempt: the attempt that was refused; nil for the request before all pauses.
    func refusedRequest(by attempt: Attempt? = nil) -> RefusedRequest {
        RefusedRequest(attempt.map(body) ?? request?.body, beside: [model.id] + form.callersHeaders)
    }

    /// Returns the error without secrets, and without recovery options if a passthrough key was refused.
    func judged(_ error: UpstreamError) -> UpstreamError {
        var error = vendor.headers.hiding(error.reread(beside: refusedRequest()), route?.token)
        // For a passthrough key, the relay must not use another key.
        guard isCallersKey else { return error }
        switch error.kind {
        case .badKey, .outOfCredit, .forbidden, .rateLimited:
            // A refusal of the model says nothing about the key.
            error.recovery.formIntersection(error.isOfModel ? .nextCandidate : [])
        default: break
        }
        return error
    }
}
