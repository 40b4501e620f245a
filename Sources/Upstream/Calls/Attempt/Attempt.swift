package import Engine
import Shared

/// One try to serve a request with one candidate and one key. All calls to vendors go through it.
package final class Attempt: OpenCall, OnLoop, @unchecked Sendable {
    package let credential: Credential
    package let billing: Billing
    /// The provider and model of this call; nil if they are those of the whole request
    /// (`billing.server`).
    private let ownServer: Billing.Server?
    package let loop: EventLoop
    /// The cooldowns of the provider's keys; nil if the provider has no keys of its own.
    private let keys: (any KeyCooldowns)?
    /// The capacity limits of the provider; nil if it has none.
    private let capacity: (any CallCapacity)?
    private(set) var startedAt: LoopTime
    /// The endpoint of the vendor's API that is called; nil before the first call.
    package private(set) var endpoint: Endpoint?
    /// Whether the body that goes to the vendor is the client's Messages body, written anew.
    package var isRebuilt = false
    /// The number of choices in the response of the present call.
    var choices = 1
    /// The models that worked on the response; nil if the vendor does not tell.
    package var models: (any ModelReport)?
    private var state = State.fresh

    private enum State {
        /// No upstream call has begun, or the next one is prepared.
        case fresh
        /// An upstream call has begun. Its end is not recorded.
        case open
        case ended
    }

    /// The number of unused rate permits (each the right to start one call). They count if the provider limits calls.
    private var permits = 1
    /// The time at which the provider's rate limit counted the last permit.
    private var permittedAt: LoopTime

    /// The maximum age of a rate permit in nanoseconds.
    private static let permitNanoseconds: UInt64 = 100_000_000

    package init(
        _ credential: Credential,
        of server: Billing.Server? = nil,
        billing: Billing,
        on loop: EventLoop,
        with keys: (any KeyCooldowns)? = nil,
        within capacity: (any CallCapacity)? = nil
    ) {
        self.credential = credential
        ownServer = server
        self.billing = billing
        self.loop = loop
        self.keys = keys
        self.capacity = capacity
        startedAt = loop.now
        permittedAt = startedAt
    }

    package var key: String { credential.key }

    /// The provider and model that this call goes to; nil if they are not known.
    var server: Billing.Server? { ownServer ?? billing.server }

    /// Creates a call beside this one, with its key, provider and model.
    /// - Parameter takesPermit: whether the new call gets the rate permit of this one. If not, it has none.
    func makeOther(takesPermit: Bool = false) -> Attempt {
        let other = Attempt(credential, of: server, billing: billing, on: loop, with: keys, within: capacity)
        (other.permits, other.permittedAt) = (0, permittedAt)
        if takesPermit { swap(&other.permits, &permits) }
        return other
    }

    // MARK: Further calls

    // Each prepares the next call with the same key, and records the end of this one before, if that is not recorded
    // yet. It throws if there is no capacity for the next call.

    /// Prepares the next call after the vendor refused this one with an HTTP status.
    @inline(never)  // Rarely called.
    package func next(afterRefusal status: Int) async throws(UpstreamError) {
        end(Bill.Outcome(.free, status: status, error: "the vendor answered \(status)"))
        try await next()
    }

    /// Prepares the call for the rest of a response that the vendor paused. Its last call has the usage of all.
    @inline(never)  // Rarely called.
    func nextPart() async throws(UpstreamError) {
        endUnbilled()
        try await next()
    }

    /// Prepares a call that does not depend on refusals of those before it. The end of this call is already recorded,
    /// or it was not made.
    func nextRound() async throws(UpstreamError) {
        try await next()
        billing.clearRefusal()
    }

    /// Prepares the call in which the model corrects a response that lacks the requested form.
    func nextRound(afterCorrected usage: Usage, credits: Int?) async throws(UpstreamError) {
        end(Bill.Outcome(.corrected, usage, credits: credits))
        try await nextRound()
    }

    private func next() async throws(UpstreamError) {
        try await permitNext()
        try await billing.fundNextCall()
        beginNext()
    }

    /// Prepares to repeat this failed call. Bills the usage in `error`. Throws if there is no capacity for the next call.
    /// - Parameter time: the time at which the call failed; nil for now.
    @inline(never)  // Rarely called.
    package func next(after error: UpstreamError, at time: LoopTime? = nil) async throws(UpstreamError) {
        let time = time ?? loop.now
        do throws(UpstreamError) {
            try await permitNext()
        } catch let shortage {
            // If the failure would put the key in cooldown, throw the shortage: another location may accept the key.
            if error.cooldown == nil { throw error }
            endUnbilled(error, isRepeated: true, at: time)
            throw shortage
        }
        endUnbilled(error, isRepeated: true, at: time)
        try await billing.fundNextCall()
        beginNext()
    }

    private func beginNext() {
        assert(state != .open, "a call is followed by another, but its end was not recorded")
        state = .fresh
        startedAt = loop.now
    }

    /// Whether calls to this provider need capacity, because its settings limit them.
    var isBounded: Bool { capacity != nil }

    /// Acquires capacity for one more concurrent call; nil if no capacity is free or the provider has no limits.
    ///
    /// Call `end` on the capacity when the additional call ends.
    func reserveConcurrentCall() async -> HeldCapacity? {
        guard
            let held = try? await capacity?.acquire(
                for: credential,
                isAfterAnother: false,
                .none,
                by: .distantPast,
                on: loop
            )
        else { return nil }
        billing.hold(held)
        permit()
        return held
    }

    /// Acquires a rate permit for a call that follows an ended call and reuses its slot. Throws if the limits forbid the
    /// call.
    func permitNext(_ patience: CapacityWait = .none) async throws(UpstreamError) {
        if capacity == nil { return }
        try await acquirePermit(patience)
        permit()
    }

    private func permit() {
        permits += 1
        permittedAt = loop.now
    }

    /// Uses a rate permit for the call that begins now. Acquires one if there is none, or if it is too old.
    private func usePermit() async throws(UpstreamError) {
        let isReady = permits > 0 && loop.now <= permittedAt + Self.permitNanoseconds
        permits = max(0, permits - 1)
        if !isReady { try await acquirePermit(.ownStart) }
    }

    @inline(never)  // Rarely called.
    private func acquirePermit(_ patience: CapacityWait) async throws(UpstreamError) {
        do throws(UpstreamError) {
            _ = try await capacity?.acquire(
                for: credential,
                isAfterAnother: true,
                patience,
                by: billing.endsAt,
                on: loop
            )
        } catch {
            var error = error
            if !Task.isCancelled { error.recovery = [.nextKey, .nextCandidate] }
            throw error
        }
    }

    // MARK: The door

    // Every upstream request that a client's request pays for begins here, and uses a rate permit.

    package func send(
        _ request: UpstreamCall,
        on transport: any Transport
    ) async throws(UpstreamError) -> UpstreamResponse {
        if isBounded { try await usePermit() }
        begin(request.endpoint)
        let response: UpstreamResponse
        do throws(TransportError) { response = try await transport.send(request) } catch { throw UpstreamError(error) }
        keepFields(of: response.head)
        return response
    }

    /// Sends a request, and waits for the head of its response.
    package func open(
        _ request: UpstreamCall,
        on transport: any Transport
    ) async throws(UpstreamError) -> any UpstreamStream {
        if isBounded { try await usePermit() }
        begin(request.endpoint)
        let stream: any UpstreamStream
        do throws(TransportError) { stream = try await transport.open(request) } catch { throw UpstreamError(error) }
        keepFields(of: stream.head)
        return stream
    }

    /// Whether the call uses the caller's own key for the vendor.
    package var isCallersKey: Bool { credential.label == nil }

    private func keepFields(of head: UpstreamHead) {
        if !head.fields.isEmpty || billing.vendorFields != nil { billing.vendorFields = (head.fields, isCallersKey) }
    }

    /// Begins a POST request whose body is written in chunks.
    /// - Parameter totalBytes: the length of the body; nil for chunked transfer encoding.
    package func upload(
        to endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        totalBytes: Int?,
        on transport: any Transport
    ) async throws(UpstreamError) -> any UpstreamUpload {
        if isBounded { try await usePermit() }
        begin(endpoint)
        do throws(TransportError) {
            return try transport.upload(to: endpoint, headers, totalBytes: totalBytes)
        } catch {
            throw UpstreamError(error)
        }
    }

    private func begin(_ endpoint: Endpoint) {
        loop.assertOwn()
        self.endpoint = endpoint
        assert(state != .ended, "a call begins, but it was not prepared after the one before it")
        if state == .fresh { billing.begin(self) }
        state = .open
    }

    // MARK: Ends

    /// Whether the end of the last call is recorded, as that of each call of a response with several choices.
    var isEnded: Bool { state == .ended }

    /// Records that the call has ended. Returns false if its end is already recorded.
    func end() -> Bool {
        assert(!isEnded, "a call has ended twice")
        if state == .open { billing.end(self) }
        defer { state = .ended }
        return !isEnded
    }

    /// Records that the vendor responded. Ends a cooldown of the key that began before this call.
    package func served() { keys?.served(credential, begun: startedAt) }

    /// Records that this call failed. Puts its key in cooldown if the failure concerns the key.
    /// - Returns: the failure, with the credential of this call.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        var error = located(error)
        if error.credential == nil { error.credential = credential }
        endUnbilled(error)
        keys?.failed(credential, error, begun: startedAt, at: loop.now)
        return error
    }

    /// Returns the failure with the endpoint of this call added, so that the log can name the endpoint.
    func located(_ error: UpstreamError) -> UpstreamError {
        guard let endpoint else { return error }
        var error = error
        error.locate(at: endpoint)
        return error
    }
}
