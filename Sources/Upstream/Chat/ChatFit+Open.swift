import Engine
import Shared

extension ChatFit {
    /// Calls the vendor until the response has begun. A response that is not streamed is whole then.
    /// - Parameters:
    ///   - isLast: whether this fit is not used again.
    ///   - waitsForEvent: whether a streamed response begins with its first event. If not, it begins with its head.
    func open(by attempt: Attempt, isLast: Bool, waitsForEvent: Bool) async throws(UpstreamError) -> BegunChat {
        attempt.billing.leaveNothingOut()
        do throws(UpstreamError) {
            let chat = try await prepared(by: attempt, isLast)
            guard options.isStreamed else { return try await whole(chat, attempt) }
            return .stream(try await opened(chat, attempt, waitsForEvent: waitsForEvent))
        } catch {
            // A prompt that describes the tools already would only be written again.
            let isPrompted = form.map { $0.isRepair || $0.tools != nil } ?? false
            let mayPrompt = error.recovery.contains(.promptForFormat) && !isPrompted
            guard mayPrompt || error.recovery.contains(.emulation) else { throw error }
            let fit = try await emulating(after: error, of: attempt)
            return try await fit.open(by: attempt, isLast: isLast, waitsForEvent: waitsForEvent)
        }
    }

    /// Returns a fit that emulates an ability which the vendor lacks, after preparing its call.
    ///
    /// Throws `error`, or the error of the new fit, if none is possible.
    @inline(never)  // Rarely called.
    private func emulating(after error: UpstreamError, of attempt: Attempt) async throws(UpstreamError) -> ChatFit {
        guard spare != nil else { throw error }
        try await attempt.nextRound()
        guard let spare = spare.take() else { throw error }
        let isRepair = error.recovery.contains(.promptForFormat)
        if isRepair { attempt.billing.recordRetry() }
        // With strict tools, the arguments may have been invalid rather than the tool call missing.
        let mayLackChoice = spare.value.needs.contains(.toolChoice) && !abilities.contains(.uncheckedArguments)
        var asked = spare.value
        let lack = isRepair ? mayLackChoice ? candidate.provider.finding(lacking: .toolChoice) : nil : error.lack
        if let lack {
            asked.quirks.learned.append(lack)
            asked.quirks.tried.removeAll { $0.isCovered(by: lack) }
        }
        do throws(APIError) {
            let fit = try ChatFit(
                asked,
                candidate,
                caller: caller,
                services: services,
                mayRepeat: mayRepeat,
                isRepair: isRepair
            )
            if fit.isUnprepared { try await fit.prepare() }
            if !fit.isShort(nil) { try await fit.check(nil) }
            fit.emulation.first = error.partial as? LoggedStream
            fit.lower(by: attempt.billing)
            return fit
        } catch let refusal {
            // The vendor did not refuse the unchanged call, so its own failure is reported.
            throw isRepair && refusal.status == 400 ? error : UpstreamError(refusing: refusal)
        }
    }

    /// Calls the vendor, and bills the whole response with its reported, counted or estimated usage.
    @inline(__always)  // A further frame would cost each request.
    private func whole(_ chat: any PreparedChat, _ attempt: Attempt) async throws(UpstreamError) -> BegunChat {
        do throws(UpstreamError) {
            var response = try await chat.gathered(by: attempt)
            let reported = response.usage
            count.learn(from: reported)
            if reported?.isReported != true { response = try await count.counted(response, of: chat) }
            return .whole(billed(response, of: chat, attempt))
        } catch {
            throw billed(await count.countedPart(of: error, of: chat), of: chat, attempt)
        }
    }

    /// Bills a whole response. Returns the response with the billed usage.
    @inline(never)  // Its variables would be a part of each call's frame.
    private func billed(
        _ response: consuming ChatResponse,
        of chat: any PreparedChat,
        _ attempt: Attempt
    ) -> ChatResponse {
        let usage = response.usage ?? onlyPrompt(of: chat)
        response.usage = attempt.end(chat: Bill.Outcome(.responded, usage, credits: response.credits))
        return response
    }

    /// Bills a call that failed. Returns its error with the usage added.
    @inline(never)  // Rarely called.
    private func billed(_ error: UpstreamError, of chat: any PreparedChat, _ attempt: Attempt) -> UpstreamError {
        var error = error
        // The vendor may have reported uses of its tools alone.
        let usage = Usage.completed(error.usage, prompt: { onlyPrompt(of: chat).promptTokens }, completion: { 0 })
        error.usage = attempt.end(with: error, after: usage)
        return error
    }

    /// Returns the usage of a call that produced no output: the prompt tokens only.
    private func onlyPrompt(of chat: any PreparedChat) -> Usage {
        Usage(estimating: count.knownPromptTokens(or: count.estimate(of: chat)), completionTokens: 0)
    }

    private func opened(
        _ chat: any PreparedChat,
        _ attempt: Attempt,
        waitsForEvent: Bool
    ) async throws(UpstreamError) -> OpenChat {
        let open: OpenChat
        do throws(UpstreamError) {
            let promptTokens = count.estimate(of: chat)
            open = OpenChat(
                try await chat.open(isStreamed: true, by: attempt),
                promptTokens: promptTokens,
                count: count,
                attempt: attempt
            )
        } catch {
            throw billed(error, of: chat, attempt)
        }
        if waitsForEvent, !open.stream.isBegun { try await open.waitForEvent() }
        return open
    }
}
