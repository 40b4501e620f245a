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
    /// Bills and records the end of the call. The amounts follow from the kind of the end and from the use.
    /// - Parameter time: the time at which the call ended; nil for now.
    package func end(_ outcome: consuming Bill.Outcome, at time: LoopTime? = nil) {
        if outcome.end == .made, outcome.images > 0 {
            outcome.pricedCredits = server?.credits?.ofImages(outcome.images)
        }
        if let terms = billing.usageReservation {
            bill(&outcome, by: terms)
            if outcome.end.isLesson { learn(outcome.usage, credits: outcome.credits, under: terms) }
        } else {
            outcome.images = 0
        }
        record(outcome, at: time)
    }

    /// Bills and records the end of a chat's call, unless the calls of its choices have ended. Returns the usage for the
    /// client.
    func end(chat outcome: consuming Bill.Outcome) -> Usage {
        let usage = outcome.usage
        if !isEnded { end(outcome) }
        return billing.withUnmet(usage)
    }

    /// Records how fast a streamed response came, for the pace by which calls are billed that are left.
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

    /// Bills and records the end of a call that failed, and returns the billed usage. A call that the vendor refused is
    /// free. Does nothing if the end is already recorded.
    ///
    /// The output of a call that was left is estimated by the time since the call began.
    /// - Parameters:
    ///   - usage: the tokens of the prompt and of the delivered output.
    ///   - promptTokens: the tokens of all the client's prompts; nil if this prompt is the only one.
    ///   - isSent: whether the vendor got the whole request.
    @discardableResult
    package func end(
        with error: UpstreamError,
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
            (outcome.usage, outcome.credits) = (usage, error.credits)
            outcome.promptTokens = promptTokens
        }
        outcome.isImpossible = usage.hasImpossibleFigure
        end(outcome)
        return usage
    }

    /// The output tokens that the vendor has probably written, if it has not reported them; 0 before the call.
    private var unreportedOutput: Int {
        endpoint == nil ? 0 : billing.outputTokens(ofCallLeftAfter: loop.now.milliseconds(since: startedAt))
    }

    /// Records the end of a call that is not billed, unless its end is already recorded.
    /// - Parameters:
    ///   - error: nil if the call succeeded.
    ///   - isRepeated: whether the relay repeats the call. The usage and the credits in `error` are billed then.
    ///   - time: the time at which the call ended; nil for now.
    func endUnbilled(_ error: UpstreamError? = nil, isRepeated: Bool = false, at time: LoopTime? = nil) {
        if isEnded { return }
        var outcome = error.map { self.outcome(.free, $0) } ?? Bill.Outcome(.free)
        if let error, error.usage != nil || error.credits != nil {
            (outcome.usage, outcome.credits) = (error.usage ?? .nothing, error.credits)
            if isRepeated { (outcome.end, outcome.isImpossible) = (.repeated, outcome.usage.hasImpossibleFigure) }
        }
        end(outcome, at: time)
    }

    // A vendor may charge for it, as for an abandoned call.
    func recordDropped() {
        let prompt = billing.usageReservation?.prompt.tokens ?? 0
        let usage = Usage(estimating: prompt, completionTokens: unreportedOutput)
        end(Bill.Outcome(.abandoned, usage, status: nil, error: "the call was dropped"))
    }

    /// Records the end of a helper call, in which another model did work for the request. Only its credits are billed.
    func endHelp(of model: String, credits: Int?, _ error: UpstreamError? = nil) {
        var outcome = error.map { self.outcome(.helped, $0) } ?? Bill.Outcome(.helped)
        if let terms = billing.usageReservation {
            outcome.billedCredits = credits ?? terms.averages.means(of: model, for: billing.caller?.identity).credits
        }
        record(outcome)
        billing.learn(RecentUsageAverages.Lesson(completionTokens: 0, credits: credits), of: model)
    }

    /// Sets the amounts that are billed for the call.
    private func bill(_ outcome: inout Bill.Outcome, by terms: UsageReservation) {
        let credits = outcome.credits
        // Media of which the vendor reports no tokens.
        if outcome.usage.totalTokens == 0 { outcome.promptTokens = outcome.promptTokens ?? terms.prompt.tokens }
        switch outcome.end {
        case .responded, .broke, .abandoned, .corrected:
            outcome.billedCredits =
                credits ?? server?.credits(outcome.usage, terms.prompt.images) ?? terms.creditsPerCall
            if outcome.images == 0 { outcome.images = terms.reserved.images }
        case .made:
            let listed = server?.credits == nil ? 0 : outcome.pricedCredits
            outcome.billedCredits = credits ?? listed ?? terms.creditsPerCall
            if outcome.images == 0 { outcome.images = terms.reserved.images }
        case .repeated: outcome.billedCredits = credits ?? server?.credits(outcome.usage, terms.prompt.images) ?? 0
        case .refused, .inner, .helped, .free: break
        }
    }

    /// Records the use of a call that succeeded, for the averages by which further requests are reserved.
    private func learn(_ usage: Usage, credits: Int?, under terms: UsageReservation) {
        var lesson = RecentUsageAverages.Lesson(credits: credits)
        lesson.seconds = usage.seconds
        // A response that its lowered bound cut off, or whose tokens are not known, tells nothing about the length of others.
        let lacksTokens =
            usage.totalTokens == 0 && server?.price.map { $0.pricesTokens && !$0.pricesMedia(usage) } ?? false
        if !lacksTokens, !billing.isCutByBound(usage) {
            lesson.completionTokens = usage.completionTokens / max(1, choices)
        }
        if usage.promptTokens > 0, let price = server?.price, terms.output != nil, price.requestCost == .nothing {
            var prompt = usage
            (prompt.completionTokens, prompt.audioCompletionTokens, prompt.toolUses) = (0, 0, ToolUses())
            prompt.reportedCost = nil
            lesson.promptPrice = price.knownCost(prompt).map { $0.nanodollars(perMillionOf: usage.promptTokens) }
        }
        billing.learn(lesson)
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
                let writer = models.writer.map(server.server(ofWriter:)) ?? server
                let of = part.model.map(server.server(ofPart:)) ?? writer
                record(Bill.Outcome(.inner, part.usage, status: 200), of: of, at: now)
            }
            let own = outcome.usage.ofWriter(models)
            let ofOthers = outcome.usage.promptTokens - own.promptTokens
            outcome.promptTokens = outcome.promptTokens.map { max(0, $0 - ofOthers) }
            outcome.usage = own
            if let writer = models.writer { server = server.server(ofWriter: writer) }
        }
        outcome.pricedCredits = server.pricedCredits(outcome, billing.usageReservation?.prompt.images ?? .none)
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

extension Bill.End {
    /// Whether further requests are reserved by the use of calls that ended so.
    fileprivate var isLesson: Bool { self == .responded || self == .made || self == .corrected }
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
