package import Engine
import Shared

/// The right to call a vendor for one request: the key that was chosen, and the ledger that the calls are billed to.
///
/// `@unchecked`: used on its request's loop only.
package final class VendorCall: @unchecked Sendable {
    package let credential: Credential
    package let callLedger: CallLedger
    /// The server that is called; nil if it is the ledger's.
    private let ownServer: CallLedger.Server?
    package let loop: EventLoop
    /// The provider's keys, for their cooldowns; nil if the key is the caller's or no key is needed.
    private let keys: (any KeyCooldowns)?
    /// The capacity limits of the provider; nil if it has none.
    private let capacity: (any CallCapacity)?
    private(set) var startedAt: LoopTime
    /// The endpoint of the vendor's API that is called; nil before the first call.
    package var endpoint: Endpoint?
    /// Whether the end of this call is already in the ledger's records.
    var isRecorded = false
    /// Whether the rate permit that was acquired with this call has been used.
    private var isStartUsed = false

    /// The age up to which a rate permit is used, in nanoseconds. An older one would leave the vendor's rate window too
    /// early.
    private static let startNanoseconds: UInt64 = 20_000_000

    package init(
        _ credential: Credential,
        of server: CallLedger.Server? = nil,
        billing callLedger: CallLedger,
        on loop: EventLoop,
        with keys: (any KeyCooldowns)? = nil,
        within capacity: (any CallCapacity)? = nil
    ) {
        self.credential = credential
        ownServer = server
        self.callLedger = callLedger
        self.loop = loop
        self.keys = keys
        self.capacity = capacity
        startedAt = loop.now
    }

    package var key: String { credential.key }

    /// The server that is called; nil if it is not known.
    var server: CallLedger.Server? { ownServer ?? callLedger.server }

    /// Makes a call for a provider that only helps, such as one that transcribes audio. The ledger's server stays the
    /// provider that responds. The new call takes over the rate permit of this one.
    package func makeHelperCall() -> VendorCall {
        let help = VendorCall(credential, of: server, billing: callLedger, on: loop, with: keys, within: capacity)
        help.isStartUsed = isStartUsed || isLate(startedAt)
        isStartUsed = true
        return help
    }

    /// Makes one more call for the same response, after this one has ended.
    package func another() async throws(UpstreamError) -> VendorCall {
        try await follow()
        callLedger.clearRefusal()
        return VendorCall(credential, of: ownServer, billing: callLedger, on: loop, with: keys, within: capacity)
    }

    /// Prepares to repeat a call in another form after the vendor refused it.
    ///
    /// - Parameter status: the HTTP status of the refusal.
    package func prepareRepeat(after status: Int) async throws(UpstreamError) {
        recordRefusal(status: status)
        try await restart()
    }

    /// Prepares to repeat a failed call at another location or in another form.
    package func prepareRepeat(after error: UpstreamError) async throws(UpstreamError) {
        recordEnd(error)
        do throws(UpstreamError) {
            try await restart(after: error)
        } catch let shortage {
            // If the failure would put the key in cooldown, throw the shortage: another location may accept the key.
            throw error.cooldown == nil ? error : shortage
        }
    }

    /// Prepares to request the next part of a response that the vendor delivered in part. The usage of all parts is
    /// reported with the last one.
    package func goOn() async throws(UpstreamError) {
        recordEnd(nil)
        try await restart()
    }

    /// Prepares the next call with the same key.
    ///
    /// - Parameter error: the failure of the previous call. Its usage is billed as lost.
    private func restart(after error: UpstreamError? = nil) async throws(UpstreamError) {
        try await follow()
        if let used = error?.usage {
            recordImpossibleUsage(in: used)
            callLedger.lost(used, at: server)
        }
        isRecorded = false
        isStartUsed = false
        startedAt = loop.now
    }

    /// Acquires a rate permit if the present one is used or too old. Call it right before each vendor call if there are
    /// several, or if something took time before.
    package func start() async throws(UpstreamError) {
        guard isBounded else { return }
        let isReady = !isStartUsed && !isLate(startedAt)
        isStartUsed = true
        if !isReady { try await follow(.ownStart) }
    }

    /// Acquires a rate permit if the one counted at `time`, in loop time, is too old.
    package func start(countedAt time: LoopTime) async throws(UpstreamError) {
        if isBounded, isLate(time) { try await follow(.ownStart) }
    }

    private func isLate(_ time: LoopTime) -> Bool { loop.now > time + Self.startNanoseconds }

    /// Whether calls of the provider need capacity.
    package var isBounded: Bool { capacity != nil }

    /// Acquires capacity for one more concurrent call; nil if there is none now. End the returned capacity when the
    /// call ends.
    package func reserveConcurrentCall() async -> HeldCapacity? {
        guard
            let held = try? await capacity?.acquire(
                for: credential,
                isAfterAnother: false,
                .none,
                by: .distantPast,
                on: loop
            )
        else { return nil }
        callLedger.hold(held)
        return held
    }

    /// Counts the start of one more call that uses the slot of an ended one. Throws an error that allows another key or
    /// provider to be tried.
    package func follow(_ patience: CapacityWait = .none) async throws(UpstreamError) {
        do throws(UpstreamError) {
            _ = try await capacity?.acquire(
                for: credential,
                isAfterAnother: true,
                patience,
                by: callLedger.endsAt,
                on: loop
            )
        } catch {
            var error = error
            if !Task.isCancelled { error.recovery = [.nextKey, .nextCandidate] }
            throw error
        }
    }

    /// Records that the vendor responded, so that its key needs no cooldown.
    package func served() { keys?.served(credential, begun: startedAt) }

    /// Records the end of a successful call that is not billed, such as a file call.
    package func ended() {
        recordEnd(nil)
        served()
    }

    /// Records that the call failed, and puts its key in cooldown if the failure concerns the key.
    ///
    /// - Returns: the failure, with the credential of the call.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        var error = located(error)
        if error.credential == nil { error.credential = credential }
        recordEnd(error)
        keys?.failed(credential, error, begun: startedAt, at: loop.now)
        return error
    }

    /// Returns the failure with the endpoint that was called.
    func located(_ error: UpstreamError) -> UpstreamError {
        guard let endpoint else { return error }
        var error = error
        error.locate(at: endpoint)
        return error
    }

    /// Calls the vendor, and retries once after a pause if that may help. No part of the response may have been sent to
    /// the client.
    package func attempt<Value: Sendable>(
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            return try await ask()
        } catch {
            try await waitToRepeat(after: error)
            return try await ask()
        }
    }

    /// Returns after a pause if retrying the same call may help and there is capacity; else throws the failure. For
    /// code that avoids the cost of a generic function of another module.
    package func waitToRepeat(after error: UpstreamError) async throws(UpstreamError) {
        guard error.recovery.contains(.retrySame), loop.now < callLedger.repeatsEndAt else { throw error }
        recordEnd(error)
        await loop.sleep(nanoseconds: min(200_000_000, callLedger.endsAt.nanoseconds(since: loop.now)))
        do throws(UpstreamError) { try await restart(after: error) } catch _ { throw error }
    }
}
