import Engine
import Shared

/// The concurrent calls that together make one response: an attempt, those beside it, and their capacity at the provider.
final class ConcurrentCalls: OnLoop, @unchecked Sendable {
    private let call: Attempt
    /// Whether the next upstream call is the first one. It is made by `call`, which has its capacity.
    private var isFirst = true
    /// The number of this response's ended upstream calls whose capacity the next calls can use.
    private var left = 0
    private var more: [HeldCapacity] = []
    private var waiting: [Waiter] = []
    /// Whether a call has made a part of the response. The vendor charges for it, so the client gets it.
    fileprivate var hasSucceeded = false

    init(_ call: Attempt) { self.call = call }

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
    func acquire() async throws(UpstreamError) -> Attempt {
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
        if waiting.isEmpty, let held = more.popLast() { return held.end() }
        left += 1
        if !waiting.isEmpty { waiting.removeFirst().wake() }
    }
}

extension Attempt {
    /// Makes several calls that together make one response, the first one with this attempt and the others beside it.
    /// Returns their values in the order of the calls.
    ///
    /// If one fails, the others go on once one of them has succeeded, and also if they would have to be paid although they
    /// were cancelled.
    /// - Parameters:
    ///   - mayLackSome: whether the response may lack what failed calls would have made.
    ///   - hasSome: whether an earlier call has made a part of the response.
    /// - Throws: the first failure if the others did not go on, or if no call has succeeded.
    package func several<Value: Sendable>(
        _ count: Int,
        atOnce: Int = .max,
        mayLackSome: Bool = true,
        hasSome: Bool = false,
        _ make: @escaping @Sendable (_ index: Int, Attempt) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> [Value] {
        let calls = ConcurrentCalls(self)
        calls.hasSucceeded = hasSome
        var failures: [UpstreamError] = []
        func goesOn(after error: UpstreamError) -> Bool {
            // Without capacity here, another provider makes the whole response.
            guard mayLackSome, !Task.isCancelled, calls.hasSucceeded || error.mayBeBilled, !error.isCapacityShortage,
                error.recovery.isDisjoint(with: [.emulation, .promptForFormat])
            else { return false }
            failures.append(error)
            calls.leave()
            return true
        }
        let values = try await allChoices(count, atOnce: atOnce, goingOn: goesOn) {
            (index) async throws(UpstreamError) in
            // A call that waited in vain for capacity used nothing.
            let value = try await make(index, try await calls.acquire())
            calls.hasSucceeded = true
            calls.leave()
            return value
        }
        if !calls.hasSucceeded, let error = failures.first { throw error }
        for error in failures { billing.recordFailure(failure(error)) }
        return values
    }
}
