import Engine
import Shared

extension Responder {
    /// Counts the request in every limit that covers it, or refuses it and counts it in none. What it holds against
    /// them, it holds until nothing more is done for it.
    ///
    /// - Parameter meter: what it may use; nil: nothing but itself is counted anywhere.
    func admit(_ cover: Cover, _ meter: Meter? = nil) async throws(APIError) {
        self.meter = meter
        let wants = cover.wants(of: meter?.reserved ?? Amounts())
        guard !wants.isEmpty else { return }
        let hold = await hold(wants)
        standing = hold.decision
        if let error = hold.decision.error { throw error }
        if hold.isOpen { self.hold = consume hold }
    }

    private func hold(_ wants: [Want]) async -> Hold {
        if let hold = gateway.limiter.reserveInMemory(wants) { return hold }
        return await gateway.limiter.reserve(wants, on: gateway.loop)
    }

    /// Once, when nothing more is done for the request.
    func settle() {
        guard let hold = hold.take() else { return }
        if let meter { hold.settle(used: meter.used) }
    }

    /// What a wrong key is told: that, or, after too many from its address, to wait. A key that works is never refused
    /// for others' wrong ones.
    func refusalOfWrongKey(_ error: APIError) async -> APIError {
        guard let request else { return error }
        let wants = gateway.limits.coverOfFailure(request).wants(of: Amounts())
        guard !wants.isEmpty else { return error }
        let decision = await hold(wants).decision
        guard decision.refusal != nil, let refusal = decision.error else { return error }
        standing = decision
        return refusal
    }
}
