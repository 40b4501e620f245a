import Calls
import Engine
import Limits
import Shared
import Upstream

extension Exchange {
    /// The caller of the request. From here on they are charged with the memory that it takes.
    ///
    /// - Parameter countsStrays: an unknown bearer that is served as if there were none counts as a wrong key.
    @inline(never)
    func caller(_ group: EndpointGroup, countsStrays: Bool = true) async throws(APIError) -> Caller {
        let (caller, stray) = try gateway.callers.caller(of: request)
        record.caller = caller.name
        if let stray, countsStrays { try await countStray(stray, request) }
        asking = (caller, group)
        if !request.body.charge(memoryHolder(caller, request)) {
            do throws(RequestError) {
                try await request.body.chargeLater()
            } catch {
                throw APIError(error)
            }
        }
        return caller
    }

    /// Of a request that is put to no vendor: a key of the vendors' is checked with them. Returns the providers whose
    /// vendors refuse it.
    @discardableResult
    func check(_ caller: Caller) async throws(APIError) -> Set<String> {
        guard caller.kind == .passThrough else { return [] }
        if let refusers = await gateway.verdicts.refusers(of: caller, gateway) { return refusers }
        throw Task.isCancelled ? .clientLeft : .wrongKey(caller.passedKey)
    }

    /// Nil: the address of the connection. Keys that are not known cost nothing to make up, so they do not count.
    private func memoryHolder(_ caller: Caller, _ request: Request) -> MemoryHolder.Key? {
        if caller.kind == .known, let identity = caller.identity {
            return identity.digest.withBytes { bytes in
                MemoryHolder.Key(
                    (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
        }
        let proxies = gateway.settings.limits.trustedProxies
        return proxies.isEmpty ? nil : MemoryHolder.Key(request.clientAddress(trusting: proxies))
    }

    /// Before a large body is read: a caller who is known to be over a limit is refused at once, and not counted. What the
    /// head tells to be wrong goes first, as it does after the body. Small bodies cost little, and are always read.
    func refuseIfKnownToBeOver() throws(APIError) {
        guard let (caller, group) = asking, request.body.isLarge else { return }
        // The least that any call of the group uses. A slot may be free again when the body is there.
        let least = group == .chat ? Amounts(tokens: 1, images: 0, usd: 1, credits: 1) : Amounts(credits: 1)
        let claims = gateway.limits.cover(caller, group, request).claims(of: least)
            .filter { $0.limit.quota.unit != .concurrent }
        guard !claims.isEmpty, let decision = gateway.limiter.knownRefusal(claims) else { return }
        standing = decision
        if let error = decision.error { throw error }
    }

    /// All limits that cover a call of the model of that name, which may replace the one that was asked for.
    func cover(_ caller: Caller, _ group: EndpointGroup, servedBy name: String) -> Cover {
        let name = gateway.registry.limitedName(name, asked: record.model ?? name)
        return gateway.limits.cover(caller, group, request, model: name)
    }

    /// Counts the request in every limit that covers it, or refuses it and counts it in none. What it holds against
    /// them, it holds as long as the admission lasts.
    ///
    /// - Parameter terms: what it may use; nil: nothing but itself is counted anywhere.
    @inline(never)
    func admit(_ cover: Cover, _ terms: CallTerms? = nil) async throws(APIError) -> Admission {
        let claims = cover.claims(of: terms)
        if let hold = heldAtOnce(claims) { return try admitted(terms, hold) }
        return try admitted(terms, await heldLater(claims))
    }

    /// The same, of a request whose upload has begun.
    func admit(_ cover: Cover, _ terms: CallTerms?, completing admission: borrowing Admission) async throws(APIError) {
        let hold = await hold(cover.claims(of: terms))
        try note(hold)
        admission.complete(terms, holding: hold)
    }

    // Work that does not wait is kept out of the frames of functions that do: these stay with a stream to its end.

    @inline(never)
    private func admitted(_ terms: CallTerms?, _ hold: consuming Hold) throws(APIError) -> Admission {
        try note(hold)
        let admission = Admission(terms, holding: hold)
        use(admission.sheet)
        return admission
    }

    /// The calls of vendors are told of there from now on.
    func use(_ sheet: CallSheet) {
        sheet.caller = asking?.caller
        sheet.keepsRecords = gateway.usage.isOn
        self.sheet = sheet
    }

    /// Throws the refusal, if it is one.
    private func note(_ hold: borrowing Hold) throws(APIError) {
        standing = hold.decision
        if let error = hold.decision.error { throw error }
    }

    /// Nil: that takes time.
    @inline(never)
    private func heldAtOnce(_ claims: [Claim]) -> Hold? {
        claims.isEmpty ? gateway.limiter.admitUncovered() : gateway.limiter.reserveInMemory(claims)
    }

    func hold(_ claims: [Claim]) async -> Hold {
        if let hold = heldAtOnce(claims) { return hold }
        return await heldLater(claims)
    }

    private func heldLater(_ claims: [Claim]) async -> Hold {
        isWaitingForLimits = true
        defer { isWaitingForLimits = false }
        return await gateway.limiter.reserve(claims, on: gateway.loop)
    }

    /// A caller's own key that is not sent on, since ANONYMOUS_MODELS serves the call, is as good as unknown.
    @inline(never)
    func countStray(_ caller: Caller, servedBy candidate: Candidate) async throws(APIError) {
        guard caller.kind == .passThrough, candidate.usesOwnKey else { return }
        try await countStray(Digest(of: caller.passedKey), request, of: caller)
    }

    /// An unknown bearer that is served as if there were none may be a guess at a token. One that its address has not
    /// sent within the last hour counts as a wrong key, and after too many of these it is refused.
    ///
    /// - Parameter caller: whose key a vendor may know, which it then is asked before this is refused.
    private func countStray(_ bearer: Digest, _ request: Request, of caller: Caller? = nil) async throws(APIError) {
        guard gateway.limits.countsFailures else { return }
        let address = gateway.limits.address(request)
        let strays = gateway.process.strays
        guard strays.isNew(bearer, from: address, at: gateway.loop.now) else { return }
        let decision = await hold(gateway.limits.coverOfFailure(from: address).claims(of: Amounts())).decision
        guard decision.refusal != nil, let refusal = decision.error else { return }
        if let caller, await gateway.verdicts.refusers(of: caller, gateway) != nil { return }
        if Task.isCancelled { throw .clientLeft }
        strays.forget(bearer, from: address)
        standing = decision
        throw refusal
    }

    /// The refusal of a wrong key: that, or, after too many from its address, to wait. A key that works is never
    /// refused for others' wrong ones.
    func refusalOfWrongKey(_ error: APIError) async -> APIError {
        let claims = gateway.limits.coverOfFailure(request).claims(of: Amounts())
        guard !claims.isEmpty else { return error }
        let decision = await hold(claims).decision
        guard decision.refusal != nil, let refusal = decision.error else { return error }
        standing = decision
        return refusal
    }
}
