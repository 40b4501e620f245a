import Engine
import Shared

/// Whole calls with an attempt: with their end, or with one retry.
extension Attempt {
    /// Makes a call that is not billed, such as one for a file, and records its end.
    /// - Parameter concernsKey: whether a failure may put the key in cooldown.
    package func unbilled<Value: Sendable>(
        concernsKey: Bool = true,
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            let value = try await ask()
            endUnbilled()
            served()
            return value
        } catch {
            if concernsKey { throw failure(error) }
            endUnbilled(error)
            throw error
        }
    }

    /// Makes a call that is billed by its use, and records its end. Repeats a failed call once.
    /// - Parameter outcome: returns the end of the call from its response; nil if the response goes on, and its end is
    ///   recorded later.
    package func billed<Value: Sendable>(
        as outcome: (Value) -> Bill.Outcome?,
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            let value = try await retrying(ask)
            if let outcome = outcome(value) { end(outcome) }
            return value
        } catch {
            end(with: error)
            throw error
        }
    }

    /// Makes a helper call, in which another model works for the request, and records its end. `credits` returns the
    /// reported credits of its response.
    /// - Parameter prepare: makes the calls before it, which are not billed.
    func helping<Prepared: Sendable, Value: Sendable>(
        by model: String,
        credits: (Value) -> Int?,
        after prepare: () async throws(UpstreamError) -> Prepared,
        _ ask: (Prepared) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        var isPrepared = false
        do throws(UpstreamError) {
            let prepared = try await prepare()
            isPrepared = true
            let value = try await ask(prepared)
            endHelp(of: model, credits: credits(value))
            served()
            return value
        } catch {
            if isPrepared, error.mayBeBilled { endHelp(of: model, credits: error.credits, error) }
            throw failure(error)
        }
    }

    /// Calls the vendor with `ask`, and retries once after a pause if a retry can help.
    ///
    /// Call it only before any output has been sent to the client.
    package func retrying<Value: Sendable>(
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            return try await ask()
        } catch {
            try await waitToRepeat(after: error)
            return try await ask()
        }
    }

    /// Pauses before a retry of the same call. Throws `error` if the call cannot be retried.
    @inline(never)  // Rarely called.
    func waitToRepeat(after error: UpstreamError) async throws(UpstreamError) {
        guard error.recovery.contains(.retrySame), loop.now < billing.repeatsEndAt else { throw error }
        let time = loop.now
        await loop.sleep(nanoseconds: min(200_000_000, billing.endsAt.nanoseconds(since: time)))
        if Task.isCancelled {
            end(with: error, after: error.usage ?? .nothing)
            var left = UpstreamError(.cancelled, cause: "cancelled")
            left.usage = .nothing
            throw left
        }
        do throws(UpstreamError) { try await next(after: error, at: time) } catch _ { throw error }
    }
}
