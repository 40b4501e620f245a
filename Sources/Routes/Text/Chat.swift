import Calls
import Engine
import Limits
import Shared
import Upstream

/// All endpoints that chat; the surface reads the request and writes the answer and the errors.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    let defaultModel = exchange.gateway.settings.defaultModel
    let asked = try await exchange.json { (root) throws(APIError) in
        try surface.read(root, defaultModel: defaultModel)
    }
    let reply = asked.reply
    if reply.refersBack { try await asked.resolve(for: caller, exchange) }
    let plan = try ChatPlan(asked.takeCall(), caller, exchange)
    if plan.isUnfinished { try await plan.finish() }
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
