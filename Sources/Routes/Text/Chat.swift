import Calls
import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Reads a call that a vendor may take as it came, and keeps its body for that.
    @inline(never)
    fileprivate func original(
        _ surface: any ChatSurface,
        defaultModel: String?
    ) async throws(APIError) -> ChatRequest {
        let (asked, body) = try await jsonAndBody { (root) throws(APIError) in
            try surface.read(root, defaultModel: defaultModel)
        }
        asked.call.original = body
        return asked
    }
}

/// All endpoints that chat; the surface reads the request and writes the answer and the errors.
///
/// A stream waits for its vendor in a function of its own: all that was needed to open it is given up before. The widest
/// frames on the way stay with the stream to its end, so each step has one of its own, too.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    let isKeeping = exchange.gateway.cache != nil
    let (way, reply) = try await plannedChat(isKeeping ? exchange.keeping(surface) : surface, exchange)
    let plan: ChatPlan
    switch consume way {
    case .single(let single): plan = single
    case .several(let first, let fallback): return try await answer(of: fallback, first, reply, exchange)
    case .panel(let panel): return try await answer(of: panel, reply, exchange)
    }
    let admission = try await plan.admitted(exchange, checksLength: true)
    if exchange.lookup != nil, try await reply.answers(plan, exchange) { return }
    guard let open = try await openedChat(consume plan, reply, consume admission, exchange) else { return }
    do throws(UpstreamError) {
        try await deliver(open, exchange)
    } catch {
        throw APIError(error, model: open.wanted.model)
    }
}

/// The way to an answer.
private enum ChatWay {
    case single(ChatPlan)
    /// The plan for the first candidate, and the way to the others, or to other keys.
    case several(ChatPlan, ChatFallback)
    case panel(PanelChat)
}

@inline(never)
private func plannedChat(
    _ surface: any ChatSurface,
    _ exchange: Exchange
) async throws(APIError) -> (ChatWay, any ChatReply) {
    let caller = try await exchange.caller(.chat)
    let gateway = exchange.gateway
    let defaultModel = gateway.settings.defaultModel
    let asked =
        gateway.registry.speaksChat && surface.wire == .chat
        ? try await exchange.original(surface, defaultModel: defaultModel)
        : try await exchange.json { (root) throws(APIError) in try surface.read(root, defaultModel: defaultModel) }
    if asked.reply.refersBack { try await asked.resolve(for: caller, exchange) }
    exchange.record.model = asked.call.model
    exchange.record.isStreamed = asked.call.isStreamed
    switch try surface.target(of: asked, caller, exchange) {
    case .candidates(let candidates):
        if gateway.registry.haveSubstitutes, candidates.leading.name != asked.call.model {
            exchange.record.substitute = candidates.leading.name
        }
        if candidates.isSingle {
            let plan = try ChatPlan(asked.takeCall(), candidates.leading, caller, gateway)
            if plan.isUnfinished { try await plan.finish() }
            return (.single(plan), asked.reply)
        }
        let fallback = ChatFallback(asked.takeCall(), candidates, caller, exchange)
        return (.several(try await fallback.leadingPlan(), fallback), asked.reply)
    case .panel(let panel):
        let chat = PanelChat(asked.takeCall(), panel, caller, exchange)
        try await chat.prepare()
        return (.panel(chat), asked.reply)
    }
}

/// Nil: the answer is not streamed, and was written.
@inline(never)
private func openedChat(
    _ plan: consuming ChatPlan,
    _ reply: any ChatReply,
    _ admission: consuming Admission,
    _ exchange: Exchange
) async throws(APIError) -> OpenChat? {
    let wanted = plan.wanted
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = reply.writer(for: wanted, exchange)
            let answer = try await plan.stream(billing: admission.sheet, writer)
            return OpenChat(answer, to: writer, wanted, admission)
        }
        let (answer, usage) = try await plan.answer(billing: admission.sheet)
        try await write(answer, usage, wanted, reply, exchange)
        return nil
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

/// The answer of the first candidate, or key, that has one.
@inline(never)
private func answer(
    of fallback: ChatFallback,
    _ first: consuming ChatPlan,
    _ reply: any ChatReply,
    _ exchange: Exchange
) async throws(APIError) {
    let admission = try await first.admitted(exchange, checksLength: false)
    if exchange.lookup != nil, try await reply.answers(first, exchange) { return }
    let wanted = (consume first).wanted
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = reply.writer(for: wanted, exchange)
            return try await fallback.stream(to: writer, wanted, billing: admission.sheet)
        }
        let (answer, usage) = try await fallback.answer(billing: admission.sheet)
        try await write(answer, usage, wanted, reply, exchange)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

/// The answer of a panel.
@inline(never)
private func answer(of panel: PanelChat, _ reply: any ChatReply, _ exchange: Exchange) async throws(APIError) {
    let wanted = try panel.wanted()
    let admission = try await panel.admitted()
    if exchange.lookup != nil, try await reply.answers(wanted, servedBy: panel.panel.name, exchange) { return }
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = reply.writer(for: wanted, exchange)
            return try await panel.stream(to: writer, wanted, billing: admission.sheet)
        }
        let (answer, usage) = try await panel.answer(billing: admission.sheet)
        try await write(answer, usage, wanted, reply, exchange)
    } catch {
        throw APIError(error, model: wanted.model)
    }
}

private func write(
    _ answer: ChatAnswer,
    _ usage: Usage,
    _ wanted: WantedAnswer,
    _ reply: any ChatReply,
    _ exchange: Exchange
) async throws(UpstreamError) {
    exchange.record.usage = usage
    exchange.cost = exchange.record.cost
    try await reply.write(answer, usage, wanted, exchange)
}
