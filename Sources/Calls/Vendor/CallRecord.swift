package import Engine
package import Shared

/// The record of one upstream call that has ended.
package final class CallRecord: Sendable {
    // It is an object, because copies of a struct would count a reference for each text.
    package let endedAt: LoopTime
    package let durationMilliseconds: Int
    package let server: CallLedger.Server
    /// The log's name for the provider's key, such as `k1`; nil for the caller's key or no key.
    package let key: String?
    package let usage: Usage
    /// The credits that the vendor reported; nil if it reported none.
    package let credits: Int?
    /// The credits from which the cost follows; nil if it does not follow from credits.
    private let billedCredits: Int?
    /// Whether the client's Messages body was written anew for a vendor of the same API.
    package let isRebuilt: Bool
    /// The HTTP status of the vendor's response; nil if the vendor did not respond.
    package let status: Int?
    /// The cause of the failure, with the key removed; nil if the call succeeded.
    package let error: String?

    package init(
        endedAt: LoopTime,
        durationMilliseconds: Int,
        server: CallLedger.Server,
        key: String?,
        usage: Usage,
        credits: Int?,
        billedCredits: Int? = nil,
        isRebuilt: Bool = false,
        status: Int?,
        error: String?
    ) {
        self.endedAt = endedAt
        self.durationMilliseconds = durationMilliseconds
        self.server = server
        self.key = key
        self.usage = usage
        self.credits = credits
        self.billedCredits = billedCredits
        self.isRebuilt = isRebuilt
        self.status = status
        self.error = error
    }

    /// The cost of the call; nil if the price is not known.
    package var cost: Cost? { server.price?.knownCost(usage, credits: billedCredits) }
}

extension VendorCall {
    /// Bills and records a call that succeeded. `credits` is nil if the vendor reported none.
    package func recordResponse(_ usage: Usage, credits: Int?) { recordResponse(usage, of: usage, credits: credits) }

    /// Bills and records one of several calls that together make one response.
    ///
    /// - Parameter sum: the usage of the response's successful calls so far, with a shared prompt counted once.
    package func recordResponse(_ usage: Usage, of sum: Usage, credits: Int?) {
        recordImpossibleUsage(in: usage)
        var billed = sum
        billed.completionTokens = usage.completionTokens
        callLedger.spend(usage, credits: credits, at: server)
        callLedger.recordResponse(billed, credits: credits) { server?.credits(usage, $0) }
        if callLedger.recordsCalls { record(usage, credits: credits, error: nil) }
    }

    /// Records this call's provider and model if the reported number of tokens is impossible.
    func recordImpossibleUsage(in usage: Usage?) {
        if let usage, usage.hasImpossibleFigure, let server { callLedger.record(impossibleUsageOf: server) }
    }

    /// Bills and records a successful call that uses no tokens, for example one that made images.
    package func made(images: Int = 0, credits: Int?) {
        let priced = images > 0 ? server?.credits?.ofImages(images) : nil
        if server?.price?.usesCredits ?? false { callLedger.spend(.nothing, credits: credits ?? priced, at: server) }
        callLedger.recordResponse(.nothing, images: images > 0 ? images : nil, credits: credits) { _ in
            server?.credits == nil ? 0 : priced
        }
        if callLedger.recordsCalls { record(.nothing, credits: credits, priced: priced, error: nil) }
    }

    /// Bills and records a call that failed.
    ///
    /// - Parameters:
    ///   - usage: the tokens of the prompt and of the delivered output.
    ///   - promptTokens: the tokens of all the client's prompts; nil if this prompt is the only one.
    ///   - isOneOfSeveral: whether this object stands for several calls, each with a record.
    package func failed(
        _ error: UpstreamError,
        after usage: Usage = .nothing,
        ofPrompts promptTokens: Int? = nil,
        isOneOfSeveral: Bool = false
    ) {
        recordImpossibleUsage(in: usage)
        var billed = usage
        if let promptTokens { billed.promptTokens = promptTokens }
        callLedger.failed(error, after: usage, billed: billed, at: server)
        guard callLedger.recordsCalls, isOneOfSeveral || !isRecorded else { return }
        // A vendor charges nothing for a refused call, nor for a choice that was abandoned because of the refusal.
        let isGivenUp = error.kind == .cancelled && callLedger.isRefused
        let isBilled = usage.completionTokens > 0 || error.mayBeBilled && !isGivenUp
        record(isBilled ? usage : .nothing, error: error)
    }

    private func loggedCause(_ error: UpstreamError) -> String { located(error).loggedCause(hiding: credential) }

    /// Records the end of this call, unless it is already recorded. `error` is nil if the call succeeded.
    func recordEnd(_ error: UpstreamError?) {
        if callLedger.recordsCalls, !isRecorded { record(error?.usage ?? .nothing, error: error) }
    }

    /// Records that the vendor refused the call with this HTTP status.
    func recordRefusal(status: Int) {
        if callLedger.recordsCalls { record(.nothing, status: status, error: "the vendor answered \(status)") }
    }

    /// - Parameter priced: the credits by the price list if they do not follow from the usage.
    private func record(
        _ usage: Usage,
        credits: Int? = nil,
        priced: Int? = nil,
        error: UpstreamError?
    ) {
        // The call was refused before any vendor was called.
        if let error, error.refusal != nil, error.status == nil, !error.isCut {
            isRecorded = true
            return
        }
        let status = error == nil ? 200 : error?.status
        record(usage, credits: credits, priced: priced, status: status, error: error.map(loggedCause))
    }

    private func record(
        _ usage: Usage,
        credits: Int? = nil,
        priced: Int? = nil,
        status: Int?,
        error: String?
    ) {
        isRecorded = true
        guard let server else { return }
        let now = loop.now
        callLedger.record(
            CallRecord(
                endedAt: now,
                durationMilliseconds: now.milliseconds(since: startedAt),
                server: server,
                key: credential.key.isEmpty ? nil : credential.label,
                usage: usage,
                credits: credits,
                billedCredits: callLedger.billedCredits(usage, reported: credits ?? priced, at: server),
                isRebuilt: isRebuilt,
                status: status,
                error: error
            )
        )
    }
}

extension UpstreamError {
    /// Returns the cause of the failure for the log, with `...` in place of the key.
    package func loggedCause(hiding credential: Credential) -> String {
        credential.key.isEmpty ? locatedCause : locatedCause.replacing(credential.key, with: "...")
    }
}
