import Engine
package import Shared

/// The use by which a call that is no chat is billed.
package struct CallUse: Sendable {
    /// The usage that the vendor reported in tokens; nil if it reported none.
    let usage: Usage?
    let images: Int
    let credits: Int?

    package init(_ usage: Usage? = nil, images: Int = 0, credits: Int?) {
        (self.usage, self.images, self.credits) = (usage, images, credits)
    }
}

/// Whole calls with an attempt: with their end, or with one retry.
extension Attempt {
    /// Makes a call that is not billed, such as one for a file, and records its end.
    ///
    /// - Parameter concernsKey: whether a failure may put the key in cooldown.
    package func unbilled<Value: Sendable>(
        concernsKey: Bool = true,
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            let value = try await ask()
            ended()
            return value
        } catch {
            if concernsKey { throw failure(error) }
            recordEnd(error)
            throw error
        }
    }

    /// Makes a call that is billed by its use, and records its end. `use` returns the use of a response.
    ///
    /// - Parameter mayRepeat: whether a failed call is repeated once. False if output was sent to the client.
    package func billed<Value: Sendable>(
        mayRepeat: Bool = true,
        by use: (Value) -> CallUse,
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let value: Value
        do throws(UpstreamError) {
            value = mayRepeat ? try await retrying(ask) : try await ask()
        } catch {
            failed(error)
            throw error
        }
        let use = use(value)
        if let usage = use.usage {
            recordResponse(usage, credits: use.credits)
        } else {
            made(images: use.images, credits: use.credits)
        }
        return value
    }

    /// Makes a helper call, in which another model works for the request, and records its end. `credits` returns the
    /// reported credits of its response.
    ///
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
            helped(by: model, credits: credits(value))
            served()
            return value
        } catch {
            if isPrepared, error.mayBeBilled { helped(by: model, credits: nil, error) }
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
