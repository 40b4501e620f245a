package import Engine
package import Shared

/// A streamed response that a vendor has begun, and the bill of its call.
package final class OpenChat: OnLoop, @unchecked Sendable {
    package let stream: any ChatStream
    /// The estimated number of prompt tokens in the request.
    private let promptTokens: Int
    package let count: CallCount
    package let attempt: Attempt
    /// The call that gets to know how the response ends; nil afterwards.
    var call: BegunCall?
    /// A function that gets the usage of the complete response, or its failure; nil if not needed.
    package var ended: ((Usage?, UpstreamError?) -> Void)?
    /// The time at which the delivery ends, and the cause of its failure then; nil without a limit.
    package var limit: (end: LoopTime, cause: String)?
    /// The events that arrived before the response had begun; nil if there are none.
    package var beginning: EventLog?
    /// Whether the stream has ended before the response had begun.
    package private(set) var isWhole = false

    init(_ stream: any ChatStream, promptTokens: Int, count: CallCount, attempt: Attempt) {
        self.stream = stream
        self.promptTokens = promptTokens
        self.count = count
        self.attempt = attempt
    }

    /// Waits for the first event. Until then, another call can replace this one.
    func waitForEvent() async throws(UpstreamError) {
        do throws(UpstreamError) {
            (beginning, isWhole) = try await stream.beginning()
        } catch {
            stream.stop()
            _ = failed(error, deliveredTokens: 0)
            throw error
        }
    }

    /// Records that the response broke off. Returns the failure for the client and the usage; nil if nothing was used.
    package func brokeOff(_ error: UpstreamError, deliveredTokens: Int) -> (UpstreamError, Usage?) {
        let used = failed(error, deliveredTokens: deliveredTokens)
        let failure = call.take()?.brokeOff(error) ?? error
        ended?(nil, failure)
        return (failure, used)
    }

    /// Bills a response that the relay has ended, and returns its usage.
    package func endedEarly(deliveredTokens: Int) -> Usage {
        end(.broke, usedSoFar(stream.usage, deliveredTokens))
    }

    private func usedSoFar(_ reported: Usage?, _ deliveredTokens: Int) -> Usage {
        var used = reported ?? .nothing
        if used.promptTokens == 0 {
            used.promptTokens = count.knownPromptTokens(or: promptTokens)
            used.isEstimated = true
        }
        used.cover(delivered: deliveredTokens)
        return used
    }

    /// Bills a response that broke off. Returns its usage; nil if nothing was used.
    private func failed(_ error: UpstreamError, deliveredTokens: Int) -> Usage? {
        let used = attempt.end(with: error, after: usedSoFar(error.usage ?? stream.usage, deliveredTokens))
        return used.completionTokens > 0 || error.mayBeBilled ? attempt.billing.withUnmet(used) : nil
    }

    /// Bills the complete response, and returns its usage.
    package func completed(bytes: Int, deliveredTokens: () -> Int) -> Usage {
        let reported = stream.usage
        count.learn(from: reported)
        let usage = count.completed(
            reported,
            prompt: { count.promptTokens(or: promptTokens) },
            completion: deliveredTokens
        )
        if reported?.completionTokens ?? 0 > 0 { attempt.billing.learn(bytes: bytes, of: usage) }
        return end(.responded, usage)
    }

    private func end(_ end: Bill.End, _ usage: Usage) -> Usage {
        let usage = attempt.end(chat: Bill.Outcome(end, usage, credits: stream.credits))
        call.take()?.served()
        return usage
    }

    /// The number of prompt tokens, which was counted earlier or is estimated now.
    package var knownPromptTokens: Int { count.knownPromptTokens(or: promptTokens) }

    package var loop: EventLoop { attempt.loop }
}
