import Calls
import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// Reads a call that a vendor may take as it came, and keeps its body for that.
    fileprivate func original(
        _ surface: any ChatSurface,
        defaultModel: String?
    ) async throws(APIError) -> ChatRequest {
        var (asked, body) = try await jsonAndBody { (root) throws(APIError) in
            try surface.read(root, defaultModel: defaultModel)
        }
        asked.call.original = body
        return asked
    }
}

/// All endpoints that chat; the surface reads the request and writes the answer and the errors.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    let defaultModel = exchange.gateway.settings.defaultModel
    var asked =
        exchange.gateway.registry.speaksChat && surface.wire == .chat
        ? try await exchange.original(surface, defaultModel: defaultModel)
        : try await exchange.json { (root) throws(APIError) in try surface.read(root, defaultModel: defaultModel) }
    let reply = asked.reply
    // A call is dear to copy.
    var call = ChatCall()
    swap(&call, &asked.call)
    if reply.refersBack { call = try await reply.resolved(call, for: caller, exchange) }
    let plan = try await ChatPlan.made(consume call, caller, exchange)
    try await exchange.countStray(caller, servedBy: plan.candidate)
    let cover = plan.cover(exchange.request)
    let terms = plan.terms(under: cover)
    let admission = try await exchange.admit(cover, terms)
    if !plan.isShort(terms) { try await plan.check(terms) }
    exchange.record.price = plan.candidate.price
    let wanted = plan.wanted
    do throws(UpstreamError) {
        if wanted.isStreamed {
            let writer = reply.writer(for: wanted, exchange)
            let stream = try await plan.stream(billing: admission.sheet, writer)
            _ = consume plan
            try await deliver(stream, to: writer, wanted, admission.sheet, exchange)
        } else {
            let (answer, usage) = try await plan.answer(billing: admission.sheet)
            exchange.record.usage = usage
            exchange.cost = wanted.price?.cost(usage)
            try await reply.write(answer, usage, wanted, exchange)
        }
    } catch {
        throw APIError(error, model: wanted.model)
    }
}
