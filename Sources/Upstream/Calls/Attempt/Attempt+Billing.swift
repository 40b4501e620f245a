package import Engine
import Limits
package import Shared

/// The reader of a response, or what it has read: asked for the models when the call ends.
package protocol ModelReport: AnyObject, Sendable {
    /// The models, if it was not the requested one alone; nil if it was.
    var models: ModelUsages? { get }
}

extension ModelUsages: ModelReport { package var models: ModelUsages? { self } }

extension Attempt {
    /// Bills and records a call that succeeded. `credits` is nil if the vendor reported none.
    package func recordResponse(_ usage: Usage, credits: Int?) { recordResponse(usage, of: usage, credits: credits) }

    /// Bills and records one of several calls that together make one response.
    ///
    /// - Parameter sum: the usage of the response's successful calls so far, with a shared prompt counted once.
    package func recordResponse(_ usage: Usage, of sum: Usage, credits: Int?) {
        var outcome = Bill.Outcome(.responded, usage, credits: credits, status: 200)
        outcome.promptTokens = sum.promptTokens
        bill(usage, credits: credits, in: &outcome)
        record(outcome)
        learn(usage, credits: credits)
    }

    /// Bills and records a call whose response the relay ended because its budget was used up.
    func recordCut(_ usage: Usage, credits: Int?) {
        var outcome = Bill.Outcome(.broke, usage, credits: credits, status: 200)
        bill(usage, credits: credits, in: &outcome)
        record(outcome)
    }

    /// Bills and records a successful call that uses no tokens, for example one that made images.
    ///
    /// - Parameter usage: the pieces of which the request or the response consists; nil for the images.
    package func made(images: Int = 0, _ usage: Usage? = nil, credits: Int?) {
        let usage = usage ?? Usage(pieces: images, .image)
        var outcome = Bill.Outcome(.made, usage, credits: credits, status: 200)
        outcome.pricedCredits = images > 0 ? server?.credits?.ofImages(images) : nil
        if let terms = billing.usageReservation {
            let listed = server?.credits == nil ? 0 : outcome.pricedCredits
            outcome.billedCredits = credits ?? listed ?? terms.creditsPerCall
            outcome.images = images > 0 ? images : terms.reserved.images
        }
        record(outcome)
        var lesson = RecentUsageAverages.Lesson(completionTokens: 0, credits: credits)
        lesson.seconds = usage.seconds
        billing.learn(lesson)
    }

    /// Records how fast a streamed response came, for the pace by which calls are billed that are left.
    ///
    /// - Parameters:
    ///   - stalled: the time in which the relay did not read the response, in nanoseconds.
    ///   - hidden: the tokens that were written before the first output, but did not arrive.
    package func recordPace(_ usage: Usage, firstOutput: LoopTime, stalled: UInt64, hiddenTokens hidden: Int) {
        guard let terms = billing.usageReservation else { return }
        terms.averages.recordPace(
            of: terms.model,
            wait: firstOutput.milliseconds(since: startedAt),
            output: loop.now.milliseconds(since: firstOutput + stalled),
            tokens: usage.completionTokens - hidden,
            hidden: hidden
        )
    }

    /// Bills and records a call that failed, and returns the billed usage. A call that the vendor refused is free.
    ///
    /// The output of a call that was left is estimated by the time since the call began.
    /// - Parameters:
    ///   - usage: the tokens of the prompt and of the delivered output.
    ///   - promptTokens: the tokens of all the client's prompts; nil if this prompt is the only one.
    ///   - isSent: whether the vendor got the whole request.
    @discardableResult
    package func failed(
        _ error: UpstreamError,
        after usage: Usage = .nothing,
        ofPrompts promptTokens: Int? = nil,
        isSent: Bool = true
    ) -> Usage {
        // The calls of several choices have ended, and one that was ended to be repeated, but has no capacity.
        if isEnded { return usage }
        var outcome = self.outcome(.refused, error)
        var usage = usage
        if usage.completionTokens > 0 || error.mayBeBilled {
            let isAbandoned = usage.completionTokens == 0 && error.kind == .cancelled
            if error.isLeft, isSent { usage.cover(delivered: unreportedOutput) }
            outcome.end = isAbandoned ? .abandoned : .broke
            outcome.usage = usage
            outcome.promptTokens = promptTokens
            bill(usage, credits: nil, in: &outcome)
        }
        outcome.isImpossible = usage.hasImpossibleFigure
        record(outcome)
        return usage
    }

    /// The output tokens that the vendor has probably written, if it has not reported them; 0 before the call.
    private var unreportedOutput: Int {
        endpoint == nil ? 0 : billing.outputTokens(ofCallLeftAfter: loop.now.milliseconds(since: startedAt))
    }

    /// Records the end of this call without billing it, unless its end is already recorded.
    ///
    /// - Parameters:
    ///   - error: nil if the call succeeded.
    ///   - time: the time at which the call ended; nil for now.
    package func recordEnd(_ error: UpstreamError?, at time: LoopTime? = nil) {
        if isEnded { return }
        guard let error else { return record(Bill.Outcome(.free, status: 200)) }
        var outcome = self.outcome(.free, error)
        outcome.usage = error.usage ?? .nothing
        record(outcome, at: time)
    }

    /// Records a failed call that the relay repeats. Bills the usage in `error`.
    func recordRepeated(_ error: UpstreamError, at time: LoopTime) {
        guard let used = error.usage, !isEnded else { return recordEnd(error, at: time) }
        var outcome = self.outcome(.repeated, error)
        outcome.usage = used
        outcome.isImpossible = used.hasImpossibleFigure
        if let terms = billing.usageReservation { outcome.billedCredits = server?.credits(used, terms) ?? 0 }
        record(outcome, at: time)
    }

    /// Bills and records a response that lacks the requested form. The model is asked next to correct it.
    func recordCorrected(_ usage: Usage, credits: Int?) {
        var outcome = Bill.Outcome(.corrected, usage, credits: credits, status: 200)
        bill(usage, credits: credits, in: &outcome)
        record(outcome)
        learn(usage, credits: credits)
    }

    // A vendor may charge for it, as for an abandoned call.
    func recordDropped() {
        let prompt = billing.usageReservation?.prompt.tokens ?? 0
        let usage = Usage(estimating: prompt, completionTokens: unreportedOutput)
        record(Bill.Outcome(.abandoned, usage, status: nil, error: "the call was dropped"))
    }

    /// Bills and records a helper call, in which another model did work for the request. Only its credits are billed.
    func helped(by model: String, credits: Int?, _ error: UpstreamError? = nil) {
        var outcome = error.map { self.outcome(.helped, $0) } ?? Bill.Outcome(.helped, status: 200)
        if let terms = billing.usageReservation {
            outcome.billedCredits = credits ?? terms.averages.means(of: model, for: billing.caller?.identity).credits
        }
        record(outcome)
        billing.learn(RecentUsageAverages.Lesson(completionTokens: 0, credits: credits), of: model)
    }

    func recordRefusal(status: Int) {
        record(Bill.Outcome(.free, status: status, error: "the vendor answered \(status)"))
    }

    /// Records the usage of a response for the averages by which further requests are reserved.
    private func learn(_ usage: Usage, credits: Int?) {
        guard let usageReservation = billing.usageReservation else { return }
        var lesson = RecentUsageAverages.Lesson(credits: credits)
        lesson.seconds = usage.seconds
        // A response that its lowered bound cut off tells nothing about the length of others.
        if !billing.isCutByBound(usage) { lesson.completionTokens = usage.completionTokens }
        if usage.promptTokens > 0, let price = server?.price, usageReservation.output != nil {
            var prompt = usage
            (prompt.completionTokens, prompt.audioCompletionTokens, prompt.toolUses) = (0, 0, ToolUses())
            prompt.reportedCost = nil
            lesson.promptPrice = price.knownCost(prompt).map { $0.nanodollars(perMillionOf: usage.promptTokens) }
        }
        billing.learn(lesson)
    }

    /// Sets the credits and images that are billed for tokens.
    private func bill(_ usage: Usage, credits: Int?, in outcome: inout Bill.Outcome) {
        guard let terms = billing.usageReservation else { return }
        outcome.billedCredits = credits ?? server?.credits(usage, terms) ?? terms.creditsPerCall
        outcome.images = terms.reserved.images
    }

    private func outcome(_ end: Bill.End, _ error: UpstreamError) -> Bill.Outcome {
        var outcome = Bill.Outcome(end, status: error.status)
        // Such a call was refused before any vendor was called.
        outcome.isShown = error.refusal == nil || error.status != nil || error.isCut
        if billing.recordsCalls { outcome.error = located(error).loggedCause(hiding: credential) }
        return outcome
    }

    private func record(_ outcome: consuming Bill.Outcome, at time: LoopTime? = nil) {
        guard end() else { return }
        let now = time ?? loop.now
        var server = server ?? .unknown
        // A stream must not stay, because it may refer to this call.
        if let models = models.take()?.models, outcome.usage != .nothing {
            for part in models.others {
                let of = server.server(ofPart: part.model ?? models.writer)
                record(Bill.Outcome(.inner, part.usage, status: 200), of: of, at: now)
            }
            let own = outcome.usage.ofWriter(models)
            let ofOthers = outcome.usage.promptTokens - own.promptTokens
            outcome.promptTokens = outcome.promptTokens.map { max(0, $0 - ofOthers) }
            outcome.usage = own
            if let writer = models.writer { server = server.server(ofWriter: writer) }
        }
        outcome.pricedCredits = server.pricedCredits(
            outcome.usage,
            reported: outcome.credits ?? outcome.pricedCredits,
            billing.usageReservation?.prompt.images ?? .none
        )
        record(outcome, of: server, at: now)
    }

    private func record(_ outcome: consuming Bill.Outcome, of server: Billing.Server, at now: LoopTime) {
        billing.record(
            CallRecord(
                endedAt: now,
                durationMilliseconds: now.milliseconds(since: startedAt),
                server: server,
                key: credential.key.isEmpty ? nil : credential.label,
                isRebuilt: isRebuilt,
                outcome: outcome
            )
        )
    }
}

extension Usage {
    /// The seconds of the recording; nil if the response did not report them.
    fileprivate var seconds: Int? { pieces > 0 && pieceUnit == .second ? pieces : nil }
}

extension UpstreamError {
    /// Returns the cause of the failure for the log, with `...` in place of the key.
    func loggedCause(hiding credential: Credential) -> String {
        credential.key.isEmpty ? locatedCause : locatedCause.replacing(credential.key, with: "...")
    }
}
