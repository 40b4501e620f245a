import Calls
import Engine
import Limits
import Shared
import Upstream

/// All endpoints that chat; the surface reads the request and writes the answer and the errors.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    let defaultModel = exchange.gateway.settings.defaultModel
    var asked = try await exchange.json { (root) throws(APIError) in
        try surface.read(root, defaultModel: defaultModel)
    }
    let reply = asked.reply
    // A call is dear to copy.
    var call = ChatCall()
    swap(&call, &asked.call)
    if reply.refersBack { call = try await reply.resolved(call, for: caller, exchange) }
    exchange.record.model = call.model
    exchange.record.isStreamed = call.isStreamed
    let candidates = try exchange.gateway.registry.chat(call.model, for: caller)
    let plan: ChatPlan
    var fallback: ChatFallback?
    if candidates.isSingle {
        plan = try await ChatPlan.made(consume call, candidates.leading, caller, exchange)
    } else {
        let several = ChatFallback(consume call, candidates, caller, exchange)
        plan = try await several.leadingPlan()
        fallback = several
    }
    try await exchange.countStray(caller, servedBy: plan.candidate)
    let cover = plan.cover(exchange.request)
    let terms = plan.terms(under: cover)
    let admission = try await exchange.admit(cover, terms)
    if fallback == nil, !plan.isShort(terms) { try await plan.check(terms) }
    exchange.record.price = plan.candidate.price
    let wanted = plan.wanted
    do throws(UpstreamError) {
        if let fallback, wanted.isStreamed {
            _ = consume plan
            try await fallback.stream(
                to: reply.writer(for: wanted, exchange),
                wanted,
                billing: admission.sheet
            )
        } else if wanted.isStreamed {
            let writer = reply.writer(for: wanted, exchange)
            let stream = try await plan.stream(billing: admission.sheet, writer)
            _ = consume plan
            try await deliver(stream, to: writer, wanted, exchange)
        } else {
            let (answer, usage) =
                if let fallback {
                    try await fallback.answer(billing: admission.sheet)
                } else {
                    try await plan.answer(billing: admission.sheet)
                }
            exchange.record.usage = usage
            exchange.cost = exchange.record.price?.cost(usage)
            try await reply.write(answer, usage, wanted, exchange)
        }
    } catch {
        throw APIError(error, model: wanted.model)
    }
}
