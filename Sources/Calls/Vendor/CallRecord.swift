import Engine
package import Shared

/// The record of one call of a vendor, once it has ended.
package struct CallRecord: Sendable {
    /// Since 1970.
    package let endMilliseconds: Int
    package let durationMilliseconds: Int
    package let server: CallSheet.Server
    /// The name of the provider's own key; nil: it was the caller's, or none.
    package let key: String?
    package let usage: Usage
    /// The vendor did not tell it.
    package let isEstimated: Bool
    /// As the vendor told them.
    package let credits: Int?
    /// The vendor's; nil: it did not answer.
    package let status: Int?
    /// Nil: it was answered.
    package let error: String?

    /// Nil: not known.
    package var cost: Cost? { server.price?.cost(usage) }
}

extension VendorCall {
    /// A call was answered in full, as far as the caller wanted it. `credits`: as the vendor told them.
    package func answered(_ usage: Usage, credits: Int?) { answered(usage, of: usage, credits: credits) }

    /// The same, of one of several calls that make an answer.
    ///
    /// - Parameter sum: of those that were answered; a prompt counts once in it.
    package func answered(_ usage: Usage, of sum: Usage, credits: Int?) {
        noteFigures(of: usage)
        var billed = sum
        billed.completionTokens = usage.completionTokens
        sheet.spend(usage, at: server?.price)
        sheet.answered(billed, credits: credits) { server?.credits(usage, $0) }
        if sheet.keepsRecords { note(usage, isEstimated: usage.isEstimated, credits: credits, nil) }
    }

    /// Records that the vendor reported a figure that cannot be true.
    func noteFigures(of usage: Usage?) {
        if let usage, usage.hasImpossibleFigure, let server { sheet.note(impossibleUsageOf: server) }
    }

    /// The same, of calls that have no tokens.
    ///
    /// - Parameter images: that were made.
    package func made(images: Int = 0, credits: Int?) {
        let priced = images > 0 ? server?.credits?.ofImages(images) : nil
        sheet.answered(.nothing, credits: credits) { _ in server?.credits == nil ? 0 : priced }
        if sheet.keepsRecords { note(.nothing, credits: credits, nil) }
    }

    /// A call broke off; `usage`: its prompt, and what was delivered of its answer.
    ///
    /// - Parameter promptTokens: of all prompts of its request, where its own is one of several.
    package func failed(_ error: UpstreamError, after usage: Usage = .nothing, ofPrompts promptTokens: Int? = nil) {
        noteFigures(of: usage)
        var billed = usage
        if let promptTokens { billed.promptTokens = promptTokens }
        sheet.failed(error, after: usage, billed: billed, at: server)
        guard sheet.keepsRecords, !isNoted else { return }
        // A vendor that refused it, or another choice that it was given up for, has taken nothing for it.
        let isGivenUp = error.kind == .cancelled && sheet.isRefused
        let isBilled = usage.completionTokens > 0 || error.mayBeBilled && !isGivenUp
        note(isBilled ? usage : .nothing, isEstimated: isBilled && usage.totalTokens > 0, error)
    }

    /// Of a call that was not told of in any other way.
    func noteEnd(_ error: UpstreamError?) {
        if sheet.keepsRecords, !isNoted { note(error?.usage ?? .nothing, error) }
    }

    /// The vendor refused the call, which is made once more in another form.
    func noteRefusal(status: Int) {
        if sheet.keepsRecords { note(.nothing, status: status, "the vendor answered \(status)") }
    }

    private func note(
        _ usage: Usage,
        isEstimated: Bool = false,
        credits: Int? = nil,
        _ error: UpstreamError?
    ) {
        // Nobody was called.
        if let error, error.refusal != nil, error.status == nil, !error.isCut {
            isNoted = true
            return
        }
        let status = error == nil ? 200 : error?.status
        note(usage, isEstimated: isEstimated, credits: credits, status: status, error?.loggedCause(hiding: credential))
    }

    private func note(
        _ usage: Usage,
        isEstimated: Bool = false,
        credits: Int? = nil,
        status: Int?,
        _ error: String?
    ) {
        isNoted = true
        guard let server else { return }
        sheet.note(
            CallRecord(
                endMilliseconds: Timestamp.now(),
                durationMilliseconds: loop.now.milliseconds(since: startedAt),
                server: server,
                key: credential.key.isEmpty ? nil : credential.label,
                usage: usage,
                isEstimated: isEstimated,
                credits: credits,
                status: status,
                error: error
            )
        )
    }
}

extension UpstreamError {
    /// For the log, without the key.
    func loggedCause(hiding credential: Credential) -> String {
        credential.key.isEmpty ? self.cause : self.cause.replacing(credential.key, with: "...")
    }
}
