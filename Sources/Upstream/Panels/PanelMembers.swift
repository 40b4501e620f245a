import Engine
import Shared

/// The calls of a panel's members, which run at the same time.
final class PanelMembers: OnLoop, @unchecked Sendable {
    private enum Outcome: Sendable {
        case answered(Body)
        /// The member failed. The value is a short description for the client.
        case failed(String)

        var isGood: Bool { if case .answered = self { true } else { false } }
    }

    private let chat: PanelChat
    private let billing: Billing
    private let feedback: PanelFeedback?
    private let asked: ChatCall
    /// The time at which all calls of members end; `distantFuture` if the panel has no deadline.
    private let deadline: LoopTime
    /// The memory that the requests and responses of the members need so far, in bytes.
    private var bytes = 0
    private(set) var reservation: MemoryReservation?

    /// The longest response of a member that the summary model gets, in bytes.
    private static let responseLimitBytes = 1_048_576

    init(_ chat: PanelChat, _ billing: Billing, feedback: PanelFeedback?) {
        self.chat = chat
        self.billing = billing
        self.feedback = feedback
        asked = chat.panel.memberCall(of: chat.call)
        let time = UInt64(clamping: chat.panel.deadline.nanoseconds)
        deadline = time > 0 ? chat.loop.now + time : .distantFuture
    }

    private var panel: Panel { chat.panel }
    private var members: [String] { chat.cast.members }

    /// Calls all members, and returns the successful responses in the order of the members.
    ///
    /// Throws if too few members succeed.
    func references() async throws(UpstreamError) -> [String] {
        guard covers(asked.sentBytes * members.count) else { throw UpstreamError(TransportError(.overloaded)) }
        let outcomes = await outcomes()
        if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        var texts: [String] = []
        for case .answered(let text) in outcomes { texts.append(text.text) }
        guard texts.count >= panel.minResponses else { throw tooFew(outcomes, good: texts.count) }
        return texts
    }

    /// Calls all members, and returns their outcomes in the order of the members.
    private func outcomes() async -> [Outcome] {
        await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, name) in members.enumerated() {
                group.addTask { [self] in (index, await outcome(of: name)) }
            }
            var outcomes = [Outcome](repeating: .failed("cancelled"), count: members.count)
            var mayBeGood = members.count
            for await (index, outcome) in group {
                outcomes[index] = outcome
                feedback?.mark(members[index], isGood: outcome.isGood)
                if !outcome.isGood { mayBeGood -= 1 }
                if mayBeGood < panel.minResponses { group.cancelAll() }
            }
            return outcomes
        }
    }

    private func outcome(of name: String) async -> Outcome {
        guard let target = try? chat.requester.registry.resolve(.member(name), for: chat.caller) else {
            return .failed("no provider")
        }
        let delay = UInt64(clamping: panel.retryDelay.nanoseconds)
        for attempt in 1...panel.attempts {
            do throws(UpstreamError) {
                return try await attemptedOutcome(of: name, target)
            } catch {
                let now = chat.loop.now
                if now >= deadline, error.kind == .timedOut { return .failed("deadline") }
                guard attempt < panel.attempts, error.mayPass, deadline.nanoseconds(since: now) > delay,
                    !Task.isCancelled
                else {
                    return .failed(error.ofMember)
                }
                await chat.loop.sleep(nanoseconds: delay)
                if Task.isCancelled { return .failed("cancelled") }
            }
        }
        return .failed("cancelled")
    }

    private func attemptedOutcome(of name: String, _ target: Resolution) async throws(UpstreamError) -> Outcome {
        let end = chat.loop.now + UInt64(clamping: panel.timeout.nanoseconds)
        let timed = TimedCall(by: chat.loop)
        let begun = try await timed.result(until: min(end, deadline), orFailFor: "the panel's time limit is over") {
            [self] () async throws(UpstreamError) in
            try await chat.open(target, name, asked, isLast: false, billing: billing)
        }
        guard case .whole(let response) = begun, let text = response.choices.first?.text,
            text.bytes.contains(where: { $0 > 32 })
        else {
            return .failed("empty response")
        }
        // The text is kept, and also written into the call for the summary model.
        guard text.bytes.count <= Self.responseLimitBytes, covers(2 * text.bytes.count) else {
            return .failed("response too long")
        }
        return .answered(text)
    }

    /// Reserves memory for this many more bytes. Returns false if there is not enough memory.
    private func covers(_ more: Int) -> Bool {
        bytes += more
        return chat.requester.services.memory.covers(bytes, &reservation)
    }

    private func tooFew(_ outcomes: [Outcome], good: Int) -> UpstreamError {
        let failures = zip(members, outcomes).compactMap { name, outcome in
            if case .failed(let reason) = outcome { "\(name): \(reason)" } else { nil }
        }
        let count = "Only \(good) of \(members.count) panel members answered (\(panel.minResponses) needed)"
        let message = "\(count): \(failures.joined(separator: "; "))"
        return UpstreamError(refusing: APIError(502, message, type: "server_error", code: "upstream_error"))
    }
}
