import Engine
import Limits
import Shared
import Upstream
import UsageRecords

extension Exchange {
    /// Authenticates the request and returns its caller. Charges the request's memory to the caller.
    /// - Parameter countsUnknownKeys: whether an anonymous caller's unknown key counts as a wrong key.
    func caller(_ group: EndpointGroup, countsUnknownKeys: Bool = true) async throws(APIError) -> Caller {
        let known = try gateway.callers.caller(of: request)
        let (caller, stray) = if let known { known } else { (try await tokenHolder(), nil as Digest?) }
        record.caller = caller.name
        if caller.key?.member != nil, let name = caller.name {
            _ = gateway.process.members.begins(name, at: gateway.loop.now)
        }
        if let stray, countsUnknownKeys { try await countUnknownKey(stray, request) }
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

    /// Returns the caller whose signed token the request has. Waits for the keys of its issuer if they are not known.
    @inline(never)  // Rarely called.
    private func tokenHolder() async throws(APIError) -> Caller {
        let token = try gateway.callers.token(of: request)
        let key = try await gateway.process.issuerKeys.key(
            named: token.keyName,
            of: token.issuer,
            by: { gateway.issuerFetcher },
            on: gateway.loop,
            gateway.log
        )
        return try gateway.callers.member(token, signedBy: key)
    }

    /// Returns the names of the providers that refuse the caller's passthrough key.
    ///
    /// Throws if all providers refuse it. Returns no names for a caller without a passthrough key.
    @discardableResult
    func check(_ caller: Caller) async throws(APIError) -> Set<String> {
        guard caller.kind == .passThrough else { return [] }
        if let refusers = await gateway.keyAcceptance.refusers(of: caller, gateway) { return refusers }
        throw Task.isCancelled ? .clientLeft : .wrongKey(caller.passedKey)
    }

    /// Returns the caller or the address to which the request's memory is charged.
    ///
    /// Nil stands for the address of the connection.
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

    /// Throws if the caller is already known to be over a limit. Counts nothing. Does nothing if the body is small.
    func refuseIfKnownToBeOver() throws(APIError) {
        // This check keeps the relay from reading a large body in vain.
        guard let (caller, group) = asking, request.body.isLarge, limitPatience(caller) == nil else { return }
        // These are the least units that any call of the group uses. A concurrency slot may be free again when the body
        // is there.
        let least = group == .chat ? Amounts(tokens: 1, images: 0, usd: 1, credits: 1) : Amounts(credits: 1)
        let charges = gateway.limits.applicableLimits(gateway.limits.demand(of: caller, group, request)).charges(
            of: least
        )
        .filter { $0.limit.quota.unit != .concurrent }
        guard !charges.isEmpty, let decision = gateway.limiter.knownRefusal(charges) else { return }
        standing = decision
        if let error = decision.error { throw error }
    }

    /// Returns all limits that apply to a request.
    func applicableLimits(
        _ caller: Caller,
        _ group: EndpointGroup,
        servedBy name: String,
        for user: @autoclosure () -> EndUser
    ) -> ApplicableLimits {
        var demand = gateway.limits.demand(of: caller, group, request)
        gateway.registry.setModel(of: &demand, name, asked: record.model ?? name, gateway.limits)
        if gateway.limits.countsUsers { demand.user.add(user()) }
        if gateway.settings.balance.isPatient {
            turnFacts = Indirect(TurnFacts(caller: caller, group: group, served: name, user: user()))
        }
        if gateway.settings.recordedUsers != .off { record.user = user() }
        return gateway.limits.applicableLimits(demand)
    }

    /// Counts a request that calls no model in every limit that applies to it.
    func admit(_ caller: Caller, _ group: EndpointGroup) async throws(APIError) -> Admission {
        if gateway.settings.balance.isPatient { turnFacts = Indirect(TurnFacts(caller: caller, group: group)) }
        return try await admit(gateway.limits.applicableLimits(gateway.limits.demand(of: caller, group, request)))
    }

    /// Counts the request in every limit that applies to it. A patient request waits for its turn if they have no room.
    ///
    /// Throws, and counts nothing, if one limit refuses the request. The units stay reserved as long as the admission
    /// exists.
    /// - Parameter usageReservation: the units to reserve; nil to count only the request itself.
    func admit(
        _ applicableLimits: ApplicableLimits,
        _ usageReservation: UsageReservation? = nil
    ) async throws(APIError) -> Admission {
        counted = applicableLimits.charges(of: usageReservation)
        let patience = asking.flatMap { limitPatience($0.caller) }
        if let admission = try admittedAtOnce(usageReservation, isPatient: patience != nil) { return admission }
        return try await admittedLater(usageReservation, patience)
    }

    @inline(never)  // Its variables would be a part of each request's frame.
    private func admittedAtOnce(
        _ usageReservation: UsageReservation?,
        isPatient: Bool
    ) throws(APIError) -> Admission? {
        guard let reservation = heldAtOnce(counted, isPatient) else { return nil }
        return try admitted(usageReservation, reservation)
    }

    @inline(never)  // Called only with a store, or to wait for a turn.
    private func admittedLater(
        _ usageReservation: UsageReservation?,
        _ patience: LimitPatience?
    ) async throws(APIError) -> Admission {
        let reservation = await heldLater(counted, patience, usageReservation)
        if let refusalOfKey { throw refusalOfKey }
        let admission = try admitted(usageReservation, reservation)
        if record.turnWaitMilliseconds > 0 { await admission.billing.fundWish() }
        return admission
    }

    private func admitted(
        _ usageReservation: UsageReservation?,
        _ reservation: consuming Reservation
    ) throws(APIError) -> Admission {
        try setRateLimits(of: reservation)
        let held = reservation.decision.held
        let admission = Admission(usageReservation, holding: reservation)
        use(admission.billing)
        admission.billing.fund(counted, held, by: gateway.limiter, on: gateway.loop)
        return admission
    }

    /// Sets the billing to which the upstream calls of this request are billed.
    func use(_ billing: Billing) {
        billing.caller = asking?.caller
        billing.limitsCost = counted.contains { $0.limit.quota.unit == .usd }
        billing.recordsCalls = gateway.usage.isOn
        if gateway.settings.balance.isPatient {
            billing.patience = patience - min(patience, UInt64(record.turnWaitMilliseconds) * 1_000_000)
        }
        self.billing = billing
    }

    /// Returns how long the request may wait for a turn in limits; nil if it may not.
    private func limitPatience(_ caller: Caller) -> LimitPatience? {
        guard gateway.settings.balance.isPatient, request.method == .post else { return nil }
        let microseconds = Int(patience / 1_000)
        return microseconds > 0
            ? LimitPatience(microseconds: microseconds, caller: caller.identity ?? .everybody) : nil
    }

    /// The time that the request may wait for limits, in nanoseconds: of the relay, and then of its vendors.
    private var patience: UInt64 {
        let setting = asking?.caller.key?.patience ?? gateway.settings.balance.patience
        var seconds = Double(setting.nanoseconds) / 1e9
        if let wanted = request.seconds(.relayWait) { seconds = min(seconds, wanted) }
        let timeout = request.seconds(.stainlessReadTimeout) ?? request.seconds(.stainlessTimeout)
        if let timeout, record.isStreamed != true {
            // The client of a whole response hears nothing until it has all of it.
            seconds = min(seconds, max(0, timeout - 5))
        }
        return UInt64(seconds * 1e9)
    }

    /// Stores the decision of the limits, which the response's header lines show. Throws if it is a refusal.
    private func setRateLimits(of reservation: borrowing Reservation) throws(APIError) {
        standing = reservation.decision
        record.turnWaitMilliseconds = reservation.decision.waitedMicroseconds / 1_000
        guard var error = reservation.decision.error else { return }
        counted = []
        if Task.isCancelled { throw .clientLeft }
        if let contact = gateway.settings.budgetContact, reservation.decision.isOfBudget {
            error.message += " \(contact)"
        }
        throw error
    }

    /// Reserves the units of the charges without waiting; nil if the shared store must be called.
    private func heldAtOnce(_ charges: [LimitCharge], _ isPatient: Bool) -> Reservation? {
        charges.isEmpty
            ? gateway.limiter.admitUncovered() : gateway.limiter.reserveInMemory(charges, isPatient: isPatient)
    }

    /// Counts the request in limits, without a wait for its turn.
    func hold(_ charges: [LimitCharge]) async -> Reservation {
        if let reservation = heldAtOnce(charges, false) { return reservation }
        return await heldLater(charges, nil)
    }

    @inline(never)  // Rarely called.
    private func heldLater(
        _ charges: [LimitCharge],
        _ patience: LimitPatience?,
        _ usageReservation: UsageReservation? = nil
    ) async -> Reservation {
        beginLimitsWait()
        defer { endLimitsWait() }
        guard let patience, let turnFacts else {
            return await gateway.limiter.reserve(charges, patience, on: gateway.loop)
        }
        let wait = LoopWait(gateway.loop)
        let turn = TurnRequest(facts: turnFacts.value, usageReservation: usageReservation, wait: wait)
        gateway.waiting.insert(self) { self.change(of: turn, under: $0) }
        defer { gateway.waiting.remove(self) }
        let reservation = await gateway.limiter.reserve(charges, patience, as: wait, on: gateway.loop)
        if let charges = wait.charges { counted = charges }
        return reservation
    }

    /// Counts the caller's passthrough key as unknown if the candidate uses the relay's own key.
    func countUnknownKey(_ caller: Caller, servedBy candidate: Candidate) async throws(APIError) {
        guard caller.kind == .passThrough, candidate.usesOwnKey else { return }
        try await countUnknownKey(Digest(of: caller.passedKey), request, of: caller)
    }

    /// Counts an unknown key as a wrong key, unless the address sent the same key within the last hour.
    ///
    /// Throws if the address has sent too many wrong keys and no vendor accepts the caller's key.
    /// - Parameter caller: the caller with a passthrough key; nil for other callers, whose key no vendor checks.
    @inline(never)  // Rarely called.
    private func countUnknownKey(_ bearer: Digest, _ request: Request, of caller: Caller? = nil) async throws(APIError)
    {
        guard gateway.limits.countsFailures else { return }
        let address = gateway.limits.address(request)
        let unknownKeys = gateway.process.unknownKeys
        guard unknownKeys.isNew(bearer, from: address, at: gateway.loop.now) else { return }
        let decision = await hold(gateway.limits.limitsOfFailedAuth(from: address).charges(of: Amounts())).decision
        guard decision.refusal != nil, let refusal = decision.error else { return }
        // A key that a vendor accepts is no guess.
        if let caller, await gateway.keyAcceptance.refusers(of: caller, gateway) != nil { return }
        if Task.isCancelled { throw .clientLeft }
        unknownKeys.forget(bearer, from: address)
        standing = decision
        throw refusal
    }

    /// Counts a wrong key for the client's address and returns the error for the request.
    ///
    /// Returns `error`, or the error of `RATE_LIMIT_FAILED_AUTH` after too many wrong keys.
    @inline(never)  // Rarely called.
    func refusalOfWrongKey(_ error: APIError) async -> APIError {
        let charges = gateway.limits.limitsOfFailedAuth(request).charges(of: Amounts())
        guard !charges.isEmpty else { return error }
        let decision = await hold(charges).decision
        guard decision.refusal != nil, let refusal = decision.error else { return error }
        standing = decision
        return refusal
    }
}

extension Request {
    /// Throws if the header field with the longest wait has anything but a number of seconds from 0 to 600.
    func checkWait() throws(APIError) {
        guard has(.relayWait), !(0...600).contains(seconds(.relayWait) ?? -1) else { return }
        throw .value("X-Relay-Wait", "expected a number of seconds from 0 to 600")
    }

    /// Returns the plain decimal number in a header field; nil if it has none.
    fileprivate func seconds(_ field: HeaderField) -> Double? {
        guard let bytes = self[field], bytes.count <= 20,
            bytes.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Double(bytes.text)
    }
}
