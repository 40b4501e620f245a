import Engine
import Shared

extension Responder {
    /// Counts the request in every limit that covers it, or refuses it and counts it in none.
    func admit(_ caller: Caller, _ group: EndpointGroup) async throws(APIError) {
        guard let request else { return }
        let wants = gateway.limits.wants(caller, group, request)
        guard !wants.isEmpty else { return }
        let decision = await decision(wants)
        standing = decision
        if let error = decision.error { throw error }
    }

    /// Requests are counted for good, so there is nothing to hold on to.
    private func decision(_ wants: [Want]) async -> Decision {
        if let hold = gateway.limiter.reserveInMemory(wants) { return hold.decision }
        return await gateway.limiter.reserve(wants, on: gateway.loop).decision
    }

    /// What a wrong key is told: that, or, after too many from its address, to wait. A key that works is never refused
    /// for others' wrong ones.
    func refusalOfWrongKey(_ error: APIError) async -> APIError {
        guard let request else { return error }
        let wants = gateway.limits.wantsOfFailure(request)
        guard !wants.isEmpty else { return error }
        let decision = await decision(wants)
        guard decision.refusal != nil, let refusal = decision.error else { return error }
        standing = decision
        return refusal
    }
}
