import Engine
import Shared

/// A vendor's response that the relay forwards unchanged, except for the model's name.
final class ForwardedVendorResponse: ForwardedResponse, ModelReport, OnLoop, @unchecked Sendable {
    private enum Form { case json, events, bytes }
    let status: Int
    private(set) var whole: Body?
    private let stream: any UpstreamStream
    private let endpoint: ForwardedEndpoint
    private let tools: LoopTools
    private let errorTable: VendorErrorTable
    private var form: Form
    /// Whether the client requested text instead of JSON.
    private let wantsText: Bool
    private let wantsEvents: Bool
    /// Whether the response is collected, so that it can be checked before it is sent.
    private var isHeld = false
    /// The memory that is reserved for the collected response.
    private var reservation: MemoryReservation?
    private var scanner: MemberScanner
    private var events: ForwardedEvents
    /// The maker of events from the JSON response; nil if the client does not want events of it.
    private let imageEvents: ImageEvents?
    /// Whether the client asked for vectors as base64.
    private let wantsBase64: Bool
    /// The number of vectors that the client asked for; nil if it is not known.
    private let vectorCount: Int?
    private var vectors = VectorEncoder()
    /// The bytes that were read from the vendor and not yet sent to the client.
    private var waiting = ByteBuffer()
    private var piece = ByteBuffer()
    private var isEnded = false
    private(set) var usage: Usage?
    private(set) var images: Int?
    /// The models that worked on the response, if it was not the requested one alone.
    private(set) var models: ModelUsages?
    /// Whether the response failed, because the vendor sent an error or an event stream broke off.
    private var isError = false
    /// The error of an event stream that broke off; nil if the stream has not broken off.
    private var cut: UpstreamError? { didSet { isError = true } }

    /// The largest response that is collected, in bytes. A larger response is forwarded as it arrives.
    private static let wholeLimitBytes = 8 * 1_048_576
    /// The largest amount of data, such as comments, that is accepted before the first event, in bytes.
    private static let commentLimitBytes = 262_144

    init(
        _ stream: any UpstreamStream,
        _ request: ForwardedRequest,
        tools: LoopTools,
        _ errorTable: @escaping VendorErrorTable
    ) {
        self.stream = stream
        self.tools = tools
        self.errorTable = errorTable
        endpoint = request.endpoint
        wantsEvents = request.wantsEvents
        vectorCount = request.vectors
        if case .form(let form) = request.content { wantsText = form.wantsText } else { wantsText = false }
        status = stream.head.status
        form =
            if stream.head.isEventStream {
                .events
            } else if request.endpoint.responseKind == .jsonOrText
                ? !wantsText
                : request.endpoint.responseKind == .json || stream.head.isJSON
            {
                .json
            } else {
                .bytes
            }
        if case .json(let body) = request.content, request.endpoint == .embeddings {
            wantsBase64 = RawJSON(body.bytes)["encoding_format"]?.content == "base64"
        } else {
            wantsBase64 = false
        }
        imageEvents = form == .json ? ImageEvents(request) : nil
        scanner = MemberScanner(model: request.model)
        events = ForwardedEvents(model: request.model, tools.parser)
    }

    var isEventStream: Bool { form == .events }

    /// The response's media type for the client. It always says whether the response is JSON or events.
    var mediaType: String {
        switch form {
        case .json where !stream.head.isJSON: "application/json"
        case .bytes where stream.head.isJSON: "text/plain; charset=utf-8"
        case .events where !stream.head.isEventStream: "text/event-stream"
        default: stream.mediaType
        }
    }

    /// Reads the beginning of the response. Reads a JSON response completely if the memory suffices.
    /// - Throws: the vendor's error, or an error if the response is not of the requested kind.
    func begin() async throws(UpstreamError) {
        if form == .json { return try await gather() }
        while !isEnded, !isError, form == .events ? mayBegin : mayBeOther { try await read() }
        if form == .events, !events.hasData || !wantsEvents { throw isError ? failure() : .ofOtherForm }
        if waiting.isEmpty {
            guard isSilence else { throw .ofOtherForm }
            return
        }
        guard form == .bytes else { return }
        if opening.isJSON {
            form = .json
            swap(&piece, &waiting)
            scanner.passesFailures = true
            scanner.consume(piece.bytes, into: &waiting)
            piece.removeAll()
            if isEnded {
                if !scanner.isWhole { throw .ofOtherForm }
                recordUsage()
            }
            return try await gather()
        }
        if stream.head.isJSON { return try await gatherText() }
        if opening.isPage || opening.isOfOtherKind { throw .ofOtherForm }
    }

    private var mayBegin: Bool { !events.hasData && waiting.count < Self.commentLimitBytes }

    private var opening: ForwardedOpening {
        ForwardedOpening(
            opening: waiting.bytes.withoutSpaceBefore,
            kind: endpoint.responseKind,
            mediaType: mediaType,
            isCalledJSON: stream.head.isJSON,
            wantsText: wantsText
        )
    }

    /// Whether the relay needs more bytes before it can tell if the vendor sent the expected kind of content.
    private var mayBeOther: Bool { waiting.count < ForwardedOpening.bytes && opening.mayBeOther }

    /// Whether the empty body is the text of a recording without speech.
    private var isSilence: Bool {
        form == .bytes && endpoint.responseKind == .jsonOrText && isEnded && status == 200 && opening.isText
    }

    // MARK: JSON

    private func gather() async throws(UpstreamError) {
        isHeld = true
        scanner.passesFailures = true
        while !isEnded, !scanner.isBroken, !isWholeFailure, isHeld || scanner.isInError { try await read() }
        if scanner.isBroken { throw .ofOtherForm }
        guard isEnded || isWholeFailure else {
            scanner.passesFailures = false
            if scanner.isErrorResponse || endpoint.responseKind == .audio { throw failure() }
            return
        }
        var all = ByteBuffer()
        swap(&all, &waiting)
        // Events are as long as the body, whose reservation is for twice its bytes.
        let body = Body(all, imageEvents == nil ? reservation.take() : nil)
        let (count, events) = try await checked(body)
        if endpoint.isOfImages { images = count }
        if events != nil { form = .events }
        whole = events ?? body
    }

    /// Whether the response so far is a complete JSON error.
    private var isWholeFailure: Bool { scanner.isWhole && scanner.isErrorResponse }

    /// Checks the collected response. Returns the number of its embeddings or images, and the events that the client
    /// gets instead of it. A long response is read on a worker thread.
    private func checked(_ body: Body) async throws(UpstreamError) -> (count: Int, events: Body?) {
        try await parsed(body) { [endpoint, vectorCount, errorTable, imageEvents] (parser) throws(UpstreamError) in
            (try endpoint.check(body, of: vectorCount, parser, errorTable), imageEvents?.events(of: body))
        }
    }

    /// Collects a text that the vendor sent as a JSON string, as some servers do.
    private func gatherText() async throws(UpstreamError) {
        while !isEnded, hasRoom { try await read() }
        guard isEnded else { throw .ofOtherForm }
        var all = ByteBuffer()
        swap(&all, &waiting)
        let body = Body(all, reservation.take())
        whole = try await parsed(body) { (parser) throws(UpstreamError) in
            guard let text = try parser.value(ofResponse: body.bytes).text else { throw .ofOtherForm }
            return Body(copying: text)
        }
    }

    private func parsed<Value: Sendable>(
        _ body: Body,
        _ read: @escaping @Sendable (JSONParser) throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let count = body.bytes.count
        guard count > WorkQueue.loopBytes else { return try read(tools.parser) }
        let result = await tools.worker.result(ofBytes: count, on: tools.loop) {
            Result { () throws(UpstreamError) in try read(JSONParser()) }
        }
        guard let result else { throw .tooMuchWork }
        return try result.get()
    }

    private func failure() -> UpstreamError {
        if let cut { return cut }
        guard let reported = form == .events ? events.failure() : scanner.failure() else { return .ofOtherForm }
        return ErrorResponseReader(tools.parser, errorTable, namesFields: true).error(ofEvent: reported.bytes)
    }

    // MARK: As it comes

    func more() async throws(UpstreamError) -> Bool {
        while waiting.isEmpty, !isEnded, !isError { try await read() }
        // Events that arrived before the error are still sent.
        if isError, waiting.isEmpty || form == .json { throw failure() }
        return !waiting.isEmpty
    }

    func receive(into buffer: inout ByteBuffer) { swap(&buffer, &waiting) }

    func stop() { stream.stop(isComplete: isEnded) }

    private func read() async throws(UpstreamError) {
        do throws(TransportError) {
            isEnded = try await stream.more(patienceNanoseconds: .max / 2) == .end
        } catch {
            guard form == .events, error.kind != .cancelled else { throw UpstreamError(error) }
            events.breakOff(into: &waiting)
            cut = UpstreamError(error)
            return
        }
        if isEnded { return try end() }
        stream.receive(into: &piece)
        if wantsBase64 {
            var encoded = ByteBuffer()
            vectors.consume(piece.bytes, into: &encoded)
            swap(&piece, &encoded)
        }
        switch form {
        case .bytes: waiting.append(piece.bytes)
        case .json:
            if isHeld, !hasRoom { isHeld = false }
            scanner.consume(piece.bytes, into: &waiting)
            isError = !scanner.passesFailures && scanner.isErrorResponse
        case .events:
            events.consume(&piece, into: &waiting)
            recordEvents()
        }
        piece.removeAll()
    }

    private func end() throws(UpstreamError) {
        switch form {
        case .bytes: break
        case .json:
            recordUsage()
            // An empty body is not a response that broke off.
            if isHeld ? scanner.isWithin : !scanner.isWhole { throw .ofOpenJSON }
        case .events:
            events.end(into: &waiting)
            recordEvents()
            if !isError, events.isUnfinished { cut = .invalidResponse("the vendor's stream was cut") }
        }
    }

    private func recordUsage() {
        usage = scanner.usage(tools.parser)
        models = scanner.models(tools.parser)
    }

    private func recordEvents() {
        (usage, models) = (events.usage, events.models)
        isError = events.isFailure
    }

    /// Whether enough memory is available for the bytes that have arrived, and for parsing them.
    private var hasRoom: Bool {
        let bytes = waiting.count + piece.count
        guard bytes > MemoryBudget.smallBytes else { return true }
        let limit = endpoint.responseKind == .audio ? ForwardedEvents.failureLimitBytes : Self.wholeLimitBytes
        return bytes <= limit && stream.budget?.covers(2 * bytes, &reservation) ?? true
            && waiting.canReserve(piece.count + ForwardedEvents.failureLimitBytes)
    }
}
