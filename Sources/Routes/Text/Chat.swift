import Calls
import Engine
import Limits
import Shared
import Upstream

/// All endpoints that chat; the surface reads the request and writes the answer and the errors.
///
/// A stream waits for its vendor in a function of its own: all that was needed to open it is given up before. The widest
/// frames on the way stay with the stream to its end, so each step has one of its own, too.
func chat(_ surface: any ChatSurface, _ exchange: Exchange) async throws(APIError) {
    let (plan, reply) = try await plannedChat(surface, exchange)
    let admission = try await plan.admitted(exchange)
    guard let open = try await openedChat(consume plan, reply, consume admission, exchange) else { return }
    do throws(UpstreamError) {
        try await deliver(open, exchange)
    } catch {
        throw APIError(error, model: open.wanted.model)
    }
}

@inline(never)
private func plannedChat(
    _ surface: any ChatSurface,
    _ exchange: Exchange
) async throws(APIError) -> (ChatPlan, any ChatReply) {
    let caller = try await exchange.caller(.chat)
    let defaultModel = exchange.gateway.settings.defaultModel
    let asked = try await exchange.json { (root) throws(APIError) in
        try surface.read(root, defaultModel: defaultModel)
    }
    if asked.reply.refersBack { try await asked.resolve(for: caller, exchange) }
    let plan = try ChatPlan(asked.takeCall(), caller, exchange)
    if plan.isUnfinished { try await plan.finish() }
    return (plan, asked.reply)
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
        exchange.record.usage = usage
        exchange.cost = wanted.price?.cost(usage)
        try await reply.write(answer, usage, wanted, exchange)
        return nil
    } catch {
        throw APIError(error, model: wanted.model)
    }
}
