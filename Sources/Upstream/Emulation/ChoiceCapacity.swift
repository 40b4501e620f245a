package import Calls
import Engine
import Shared

/// The concurrent calls of one response with several choices or images: their capacity at the provider, and whether they
/// go on when one of them fails.
package final class ChoiceCapacity: OnLoop, @unchecked Sendable {
    private let call: Attempt
    /// Whether the next upstream call is the first one. It uses the capacity that `call` already has.
    private var isFirst = true
    /// The number of this response's ended upstream calls whose capacity the next calls can use.
    private var left = 0
    private var more: [HeldCapacity] = []
    private var waiting: [Waiter] = []
    /// Whether the response may lack choices whose calls failed; false if each one answers another prompt.
    private let mayLackChoices: Bool
    /// Whether a call has succeeded. The vendor charges for it, so the client gets what it made.
    var hasSucceeded = false
    private var failures: [UpstreamError] = []

    package init(_ call: Attempt, mayLackChoices: Bool = true) {
        self.call = call
        self.mayLackChoices = mayLackChoices
    }

    package func succeeded() {
        hasSucceeded = true
        leave()
    }

    /// Records the failure of a call. Returns whether the other calls go on.
    ///
    /// They do once one of them has succeeded, and also if they would have to be paid although they were cancelled.
    package func goesOn(after error: UpstreamError) -> Bool {
        // Without capacity here, another provider makes the whole response.
        guard mayLackChoices, !Task.isCancelled, hasSucceeded || error.mayBeBilled, !error.isCapacityShortage,
            error.recovery.isDisjoint(with: [.emulation, .promptForFormat])
        else { return false }
        failures.append(error)
        leave()
        return true
    }

    /// Records in the log and the metrics the failures of calls whose choices the response lacks. Throws the first one
    /// if no call has succeeded.
    package func recordFailures() throws(UpstreamError) {
        if !hasSucceeded, let error = failures.first { throw error }
        for error in failures { call.billing.recordFailure(call.failure(error)) }
    }

    /// Acquires capacity for an upstream call without waiting.
    ///
    /// Returns false if no capacity is free now, or if `acquire()` can use the capacity of an ended call.
    func acquireNow() async -> Bool {
        guard call.isBounded, !isFirst else {
            isFirst = false
            return true
        }
        guard left == 0, let held = await call.reserveConcurrentCall() else { return false }
        more.append(held)
        return true
    }

    /// Acquires capacity for one of the upstream calls that together make the response. If none is free, waits until
    /// another of these calls ends.
    package func acquire() async throws(UpstreamError) {
        if await acquireNow() { return }
        while left == 0 {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        }
        left -= 1
        try await call.permitNext(.ownChoices)
    }

    /// Records that an upstream call has ended. Its capacity goes to the next waiting call of the response.
    func leave() {
        if !waiting.isEmpty {
            left += 1
            waiting.removeFirst().wake()
        } else if let held = more.popLast() {
            held.end()
        } else {
            left += 1
        }
    }
}

/// A stream whose upstream call begins only when capacity for it is free.
final class DeferredStream: ChatStream, OnLoop, @unchecked Sendable {
    private let choiceCapacity: ChoiceCapacity
    private let open: () async throws(UpstreamError) -> any ChatStream
    private var stream: (any ChatStream)?
    /// Whether the upstream call was made.
    private(set) var isAsked = false

    init(_ choiceCapacity: ChoiceCapacity, _ open: @escaping () async throws(UpstreamError) -> any ChatStream) {
        self.choiceCapacity = choiceCapacity
        self.open = open
    }

    var usage: Usage? { stream?.usage }
    var credits: Int? { stream?.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if let stream { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        try await choiceCapacity.acquire()
        isAsked = true
        let opened = try await open()
        stream = opened
        return try await opened.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool { try stream?.next(emit) ?? false }

    func stop() { stream?.stop() }
}
