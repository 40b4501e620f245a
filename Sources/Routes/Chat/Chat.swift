import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Reads a chat request, and keeps the raw request body for forwarding.
    fileprivate func original(_ surface: any ChatSurface, defaultModel: String?) async throws(APIError) -> ChatRequest {
        // A longer request is read on a worker thread, which has time to read its tools, too.
        var isShort = (request.body.declaredBytes ?? .max) <= JSONBody.loopBytes && surface.wire == .chat
        // A compressed body may become long.
        if request[.contentEncoding] != nil { isShort = false }
        var reading = isShort ? ToolReading(isPassedOn: gateway.registry.isPassedOn) : .whole
        reading.toleratesUnknown = surface.wire != .chat
        // The digest of a cached request needs its tools.
        let mayLeave = isShort && gateway.cache == nil
        let (isEstimated, isKept) = (gateway.limits.countsLate, keepsResponse(of: surface))
        let (asked, original) = try await jsonAndOriginal {
            mayLeave && OriginalRequest.canLeaveTools($0, reading.isPassedOn)
        } read: { [reading] (root, tools) throws(APIError) in
            var reading = reading
            reading.checked = tools
            return try surface.read(root, defaultModel: defaultModel, reading)
                .completed(root, isEstimated: isEstimated, isKept: isKept, surface.wire)
        }
        if asked.isOfOtherAPI { return asked }
        switch surface.wire {
        case .messages: try keep(OriginalRequest(original, of: .messages, messageHeaders), asked)
        case .responses: try keep(OriginalRequest(original, of: .responses), asked)
        default: asked.call.keep(original)
        }
        return asked
    }

    /// Keeps a request for a vendor of the same API, unless it refers to what only the relay knows, or parsers could
    /// find different fields in it. Such a request is written anew.
    private func keep(_ original: OriginalRequest, _ asked: ChatRequest) throws(APIError) {
        let isUnambiguous = original.isUnambiguous
        if isUnambiguous, asked.formatter.passes(original) { return asked.call.keep(original) }
        if let error = asked.call.unreadError { throw error }
        asked.call.isAmbiguous = !isUnambiguous
    }

    /// Throws if the client's version of the Messages API is too long.
    func checkMessagesVersion() throws(APIError) {
        guard let bytes = request[.anthropicVersion]?.count, bytes > MessageHeaders.versionLimitBytes else { return }
        throw .tooLong("anthropic-version", bytes, limitBytes: MessageHeaders.versionLimitBytes)
    }

    /// The header lines that go on with a Messages request.
    var messageHeaders: MessageHeaders {
        MessageHeaders(
            betas: request.lines(named: "anthropic-beta").map(\.text).joined(separator: ","),
            version: request[.anthropicVersion]?.text,
            hasBearer: request[.xAPIKey] == nil && request[.apiKey] == nil
        )
    }
}

/// Serves a request to any chat endpoint until its response has begun. Returns the delivery of a streamed response; nil
/// if the response has been sent.
func openedChat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) -> ChatDelivery? {
    let caller = try await exchange.caller(.chat)
    let asked = try await exchange.asked(surface)
    if asked.formatter.hasReferences { try await asked.formatter.resolve(asked, for: caller, exchange) }
    try asked.call.attachments.checkImages(most: exchange.gateway.settings.maxImages)
    let cache: CacheStage? =
        if let cache = exchange.gateway.cache, let digest = asked.digest {
            CacheStage(asked, digest, in: cache, exchange)
        } else { nil }
    let source = try exchange.source(of: asked, surface, caller)
    let plan = try await source.plan(exchange)
    var delivery =
        plan.options.isStreamed
        ? ChatDelivery(to: asked.formatter.writer(for: plan.options, exchange), plan.options, exchange) : nil
    delivery?.startPings()
    defer { delivery?.stopPings() }
    let admission = try await exchange.admit(plan.limits, plan.usageReservation)
    if let cache {
        if try await cache.responds(to: source, plan, delivery) { return nil }
        delivery?.stopPings()
        delivery = delivery.map(cache.recording)
        delivery?.startPings()
    }
    do throws(UpstreamError) {
        switch try await source.open(admission.billing, notes: delivery?.writer) {
        case .stream(let open):
            delivery?.begin(open, consume admission)
            return delivery
        case .whole(var response):
            let mayBeCut = exchange.record(&response, of: surface, admission.billing)
            if let cache, !mayBeCut { await cache.keep(response, plan.options) }
            try await asked.formatter.write(response, plan.options, exchange)
            return nil
        }
    } catch {
        throw APIError(error, model: plan.options.model)
    }
}

extension Exchange {
    /// Records the usage and the cost of a whole response, which then has the usage that the client gets. Returns whether
    /// a budget may have cut the response.
    @inline(never)  // Its variables would be a part of each chat's frame.
    fileprivate func record(_ response: inout ChatResponse, of surface: any ChatSurface, _ billing: Billing) -> Bool {
        // One copy, because each use of the property would be a copy.
        let usage = response.usage
        if usage?.isEstimated == true { response.includeUsage(of: surface.wire) }
        record.usage = usage
        recordCost()
        return billing.mayBeCut(usage ?? .nothing)
    }

    fileprivate func asked(_ surface: any ChatSurface) async throws(APIError) -> ChatRequest {
        let asked = try await read(surface)
        if let deployment { asked.call.model = deployment }
        return asked
    }

    private func read(_ surface: any ChatSurface) async throws(APIError) -> ChatRequest {
        let defaultModel = deployment ?? gateway.settings.defaultModel
        if surface.wire == .messages { try checkMessagesVersion() }
        if let wire = surface.wire, gateway.registry.speaks(wire) {
            return try await original(surface, defaultModel: defaultModel)
        }
        let (isEstimated, isKept) = (gateway.limits.countsLate, keepsResponse(of: surface))
        return try await json { (root) throws(APIError) in
            // No vendor has this API, so that no response repeats what only concerns the caller.
            let asked = try surface.read(root, defaultModel: defaultModel, .whole)
                .completed(root, isEstimated: isEstimated, isKept: isKept, surface.wire == .messages ? .messages : nil)
            if surface.wire == .chat, !asked.isOfOtherAPI { asked.call.nameUnreadFields(of: root) }
            return asked
        }
    }

    /// Whether the response cache may hold the response.
    private func keepsResponse(of surface: any ChatSurface) -> Bool {
        gateway.cache != nil && surface.mayKeep && !request.forbidsCaching
    }
}

extension ChatRequest {
    /// Completes the request while its body is read: with the estimated tokens of a long one if a limit needs them, and
    /// with the digest for the response cache.
    fileprivate func completed(_ root: JSONValue, isEstimated: Bool, isKept: Bool, _ wire: Wire?) -> ChatRequest {
        if isEstimated { call.estimateIfLong() }
        if isKept, let found = RequestDigest.of(root, for: wire) { (digest, attributed) = found }
        return self
    }
}
