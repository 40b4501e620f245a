import Calls
import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Reads a chat request, and keeps the raw request body for forwarding.
    @inline(never)
    fileprivate func original(
        _ surface: any ChatSurface,
        defaultModel: String?
    ) async throws(APIError) -> ChatRequest {
        // A longer request is read on a worker thread, which has time to read its tools, too.
        var isShort = (request.body.declaredBytes ?? .max) <= JSONBody.loopBytes && surface.wire == .chat
        // A compressed body may become long.
        if request[.contentEncoding] != nil { isShort = false }
        var reading = isShort ? ToolReading(isPassedOn: gateway.registry.isPassedOn) : .whole
        reading.toleratesUnknown = surface.wire == .messages
        // The digest of a cached request needs its tools.
        let mayLeave = isShort && gateway.cache == nil
        let estimated = estimating
        let (asked, original) = try await jsonAndOriginal {
            mayLeave && OriginalRequest.canLeaveTools($0, reading.isPassedOn)
        } read: { [reading] (root, tools) throws(APIError) in
            var reading = reading
            reading.checked = tools
            return estimated(try surface.read(root, defaultModel: defaultModel, reading))
        }
        if asked.isOfOtherAPI { return asked }
        if surface.wire == .chat { asked.call.keep(original) } else { try keep(message: original, asked) }
        return asked
    }

    /// Keeps a Messages request for a vendor of the same API, unless parsers could find different fields in the
    /// request. Such a request is written anew.
    @inline(never)
    private func keep(message original: OriginalRequest, _ asked: ChatRequest) throws(APIError) {
        let original = OriginalRequest(original, messageHeaders)
        if original.isUnambiguous { return asked.call.keep(original) }
        if let error = asked.call.unreadError { throw error }
        asked.call.isAmbiguous = true
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

/// Serves a request to any chat endpoint.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    // Each step is a separate function, so that little memory is in use while a stream waits for the vendor.
    let isKeeping = exchange.gateway.cache != nil
    let (way, formatter) = try await plannedChat(isKeeping ? exchange.keeping(surface) : surface, exchange)
    let plan: ChatPlan
    switch consume way {
    case .single(let single): plan = single
    case .several(let fallback): return try await respond(of: fallback, formatter, exchange)
    case .panel(let panel): return try await respond(of: panel, formatter, exchange)
    }
    let admission: Admission
    do throws(APIError) {
        admission = try await plan.admitted(exchange, checksLength: true)
    } catch {
        // The writer determines how the error of a streamed response is sent.
        if plan.wanted.isStreamed, error.isOfContextLength { _ = formatter.writer(for: plan.wanted, exchange) }
        throw error
    }
    if exchange.lookup != nil, try await formatter.respondsFromCache(plan, exchange) { return }
    guard plan.wanted.isStreamed else {
        return try await respond(by: consume plan, formatter, consume admission, exchange)
    }
    let open = try await openedChat(consume plan, formatter, admission: consume admission, exchange: exchange)
    do throws(UpstreamError) {
        try await deliver(open, exchange)
    } catch {
        throw APIError(error, model: open.wanted.model)
    }
}

/// The way in which the relay serves a chat request.
private enum ChatWay {
    case single(ChatPlan)
    /// Several candidates or several keys can serve the request, so that a fallback is possible.
    case several(ChatFallback)
    case panel(PanelChat)
}

@inline(never)
private func plannedChat(
    _ surface: any ChatSurface,
    _ exchange: Exchange
) async throws(APIError) -> (ChatWay, any ChatResponseFormatter) {
    let caller = try await exchange.caller(.chat)
    let asked = try await exchange.asked(surface)
    if asked.formatter.hasReferences { try await asked.resolve(for: caller, exchange) }
    try asked.call.attachments.checkImages(most: exchange.gateway.settings.maxImages, param: "messages")
    let way = try exchange.way(to: asked, surface, caller)
    switch way {
    case .single(let plan): if plan.isUnfinished { try await plan.finish() }
    case .several: break
    case .panel(let panel): try await panel.prepare()
    }
    return (way, asked.formatter)
}

extension Exchange {
    @inline(never)
    fileprivate func asked(_ surface: any ChatSurface) async throws(APIError) -> ChatRequest {
        let defaultModel = gateway.settings.defaultModel
        if let wire = surface.wire, gateway.registry.speaks(wire) {
            return try await original(surface, defaultModel: defaultModel)
        }
        let estimated = estimating
        return try await json { (root) throws(APIError) in
            estimated(try surface.read(root, defaultModel: defaultModel))
        }
    }

    /// A function that estimates the tokens of a long chat request and returns the request.
    ///
    /// If no limit needs the estimate, the function only returns the request.
    private var estimating: @Sendable (ChatRequest) -> ChatRequest {
        guard gateway.limits.countsLate else { return { $0 } }
        return { request in
            request.call.estimateIfLong()
            return request
        }
    }

    /// Logs what the request contains that vendors with another API do not get.
    private func logIgnored() {
        gateway.log.debug("fields of the request are left out") { line in
            line.add("fields", ignored.map { "\($0)" }.joined(separator: ", "))
            line.add("id", record.id)
        }
    }

    // Not inlined: the function does not suspend, so its variables are in no frame that lives as long as the request.
    @inline(never)
    fileprivate func way(
        to asked: ChatRequest,
        _ surface: any ChatSurface,
        _ caller: Caller
    ) throws(APIError) -> ChatWay {
        if ModelCatalog.asksForLongWindow(asked.call.model),
            let name = gateway.registry.modelCatalog.name(beforeWindowOf: asked.call.model)
        {
            asked.call.model = name
            asked.call.wantsLongWindow = true
        }
        record.model = asked.call.model
        asked.call.quirks.isOfSession = request.session != nil
        if let rare = asked.call.rare {
            ignored = rare.value.ignored
            offersSearch = rare.value.searchTool?.isOffered == true
            if !ignored.isEmpty { logIgnored() }
        }
        record.isStreamed = asked.call.isStreamed
        switch try surface.target(of: asked, caller, self) {
        case .candidates(let candidates):
            if candidates.leading.model.searchesWeb {
                record.model = gateway.registry.modelCatalog.knownName(asked.call.model)
            }
            if gateway.registry.haveSubstitutes, candidates.leading.name != record.model {
                record.substitute = candidates.leading.name
            }
            guard candidates.isSingle else {
                return .several(ChatFallback(asked.removeCall(), candidates, caller: caller, exchange: self))
            }
            return .single(try ChatPlan(asked.removeCall(), candidates.leading, caller: caller, gateway: gateway))
        case .panel(let panel):
            if let error = asked.call.unreadError { throw error }
            return .panel(PanelChat(asked.removeCall(), panel, caller: caller, exchange: self))
        }
    }
}

/// Calls the only candidate and writes its complete response.
@inline(never)
private func respond(
    by plan: consuming ChatPlan,
    _ formatter: any ChatResponseFormatter,
    _ admission: consuming Admission,
    _ exchange: Exchange
) async throws(APIError) {
    let wanted = plan.wanted
    do throws(UpstreamError) {
        let (response, usage) = try await plan.response(billing: admission.billing)
        try await write(response, usage, wanted: wanted, formatter: formatter, exchange: exchange)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

/// Calls the only candidate for a streamed response. Returns when the stream has begun.
@inline(never)
private func openedChat(
    _ plan: consuming ChatPlan,
    _ formatter: any ChatResponseFormatter,
    admission: consuming Admission,
    exchange: Exchange
) async throws(APIError) -> OpenChat {
    let wanted = plan.wanted
    do throws(UpstreamError) {
        let writer = formatter.writer(for: wanted, exchange)
        let response = try await plan.stream(billing: admission.billing, writer)
        return OpenChat(response, to: writer, wanted, admission: admission)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

/// Calls the candidates until one succeeds, and writes its response.
@inline(never)
private func respond(
    of fallback: ChatFallback,
    _ formatter: any ChatResponseFormatter,
    _ exchange: Exchange
) async throws(APIError) {
    let first = try await fallback.leadingPlan()
    let admission = try await first.admitted(exchange, checksLength: false)
    if exchange.lookup != nil, try await formatter.respondsFromCache(first, exchange) { return }
    let wanted = (consume first).wanted
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = formatter.writer(for: wanted, exchange)
            return try await fallback.stream(to: writer, wanted, billing: admission.billing)
        }
        let (response, usage) = try await fallback.response(billing: admission.billing)
        try await write(response, usage, wanted: wanted, formatter: formatter, exchange: exchange)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

/// Runs a panel and writes the response of its summary model.
@inline(never)
private func respond(
    of panel: PanelChat,
    _ formatter: any ChatResponseFormatter,
    _ exchange: Exchange
) async throws(APIError) {
    let wanted = try panel.wanted()
    let admission = try await panel.admitted()
    if exchange.lookup != nil, try await formatter.respondsFromCache(wanted, servedBy: panel.panel.name, exchange) {
        return
    }
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = formatter.writer(for: wanted, exchange)
            return try await panel.stream(to: writer, wanted, billing: admission.billing)
        }
        let (response, usage) = try await panel.response(billing: admission.billing)
        try await write(response, usage, wanted: wanted, formatter: formatter, exchange: exchange)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

private func write(
    _ response: ChatResponse,
    _ usage: Usage,
    wanted: FormatterOptions,
    formatter: any ChatResponseFormatter,
    exchange: Exchange
) async throws(UpstreamError) {
    recordUsage(usage, exchange)
    try await formatter.write(response, usage, wanted, exchange)
}

// Not inlined, because the function does not suspend.
@inline(never)
private func recordUsage(_ usage: Usage, _ exchange: Exchange) {
    exchange.record.usage = usage
    exchange.recordCost()
}
