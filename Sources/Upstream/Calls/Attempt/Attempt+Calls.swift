import Engine
import Shared

/// Whole calls with an attempt: with their end, or with one retry.
extension Attempt {
    /// Makes a call that is not billed, such as one for a file, and records its end.
    package func unbilled<Value: Sendable>(
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            let value = try await ask()
            ended()
            return value
        } catch {
            throw failure(error)
        }
    }

    /// Calls the vendor with `ask`, and retries once after a pause if a retry can help.
    ///
    /// Call it only before any output has been sent to the client.
    /// - Parameter billsFailure: whether the failure of both calls is billed here.
    package func retrying<Value: Sendable>(
        billsFailure: Bool = false,
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            do throws(UpstreamError) {
                return try await ask()
            } catch {
                try await waitToRepeat(after: error)
                return try await ask()
            }
        } catch {
            if billsFailure { failed(error) }
            throw error
        }
    }

    /// Pauses before a retry of the same call. Throws `error` if the call cannot be retried.
    func waitToRepeat(after error: UpstreamError) async throws(UpstreamError) {
        guard error.recovery.contains(.retrySame), loop.now < billing.repeatsEndAt else { throw error }
        let time = loop.now
        await loop.sleep(nanoseconds: min(200_000_000, billing.endsAt.nanoseconds(since: time)))
        if Task.isCancelled {
            failed(error, after: error.usage ?? .nothing)
            var left = UpstreamError(.cancelled, cause: "cancelled")
            left.usage = .nothing
            throw left
        }
        do throws(UpstreamError) { try await next(after: error, at: time) } catch _ { throw error }
    }
}
