package import Calls
import Engine

/// One call of one candidate, which ends when the time for all of them is over, unless its answer has begun.
///
/// `@unchecked`: used on its request's loop only.
package final class TimedAttempt: @unchecked Sendable {
    private let endsAt: UInt64
    private let call: TimedCall
    private var hasBegun = false

    /// - Parameter isBegun: for who does not tell `begins`.
    init(endsAt: UInt64, on loop: EventLoop, _ isBegun: @escaping () -> Bool) {
        self.endsAt = endsAt
        call = TimedCall(by: loop, unless: isBegun)
    }

    /// From here on it has all the time that its vendor has.
    package func begins() {
        hasBegun = true
        call.lift()
    }

    package func run<Value: Sendable>(
        _ ask: @escaping @Sendable () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            guard endsAt < .max else { return try await ask() }
            return try await call.result(until: endsAt, orFailFor: "no answer began within FALLBACK_DEADLINE", ask)
        } catch {
            var error = error
            if hasBegun { error.remedy = [] }
            throw error
        }
    }
}
