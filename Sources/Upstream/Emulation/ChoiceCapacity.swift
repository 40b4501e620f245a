import Engine
import Shared

/// The concurrent calls of one response with several choices or images: their attempts, their capacity at the provider, and
/// whether they go on when one of them fails.
package final class ChoiceCapacity: OnLoop, @unchecked Sendable {
    private let call: Attempt
    /// Whether the next upstream call is the first one. It is made by `call`, which has its capacity.
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

    /// Returns the attempt for an upstream call, with its capacity, without waiting.
    ///
    /// Returns nil if no capacity is free now, or if `acquire()` can use the capacity of an ended call.
    func acquireNow() async -> Attempt? {
        if isFirst {
            isFirst = false
            return call
        }
        let other = call.makeOther()
        guard call.isBounded else { return other }
        guard left == 0, let held = await other.reserveConcurrentCall() else { return nil }
        more.append(held)
        return other
    }

    /// Returns the attempt for one of the upstream calls that together make the response, with its capacity. If none is
    /// free, waits until another of these calls ends.
    package func acquire() async throws(UpstreamError) -> Attempt {
        if let call = await acquireNow() { return call }
        while left == 0 {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        }
        left -= 1
        let other = call.makeOther()
        try await other.permitNext(.ownChoices)
        return other
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
    private let chat: any PreparedChat
    private var stream: (any ChatStream)?
    /// The attempt of the upstream call; nil if it was not made.
    private(set) var attempt: Attempt?

    init(_ choiceCapacity: ChoiceCapacity, _ chat: any PreparedChat) {
        self.choiceCapacity = choiceCapacity
        self.chat = chat
    }

    var usage: Usage? { stream?.usage }
    var credits: Int? { stream?.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if let stream { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        let attempt = try await choiceCapacity.acquire()
        self.attempt = attempt
        let opened = try await chat.open(isStreamed: true, by: attempt)
        stream = opened
        return try await opened.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool { try stream?.next(emit) ?? false }

    func stop() { stream?.stop() }
}
