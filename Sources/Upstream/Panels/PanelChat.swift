import Engine
package import Shared

/// A chat call to a panel: the calls to the members, and then the call to the summary model.
package final class PanelChat: OnLoop, @unchecked Sendable {
    package let panel: Panel
    package let cast: Panel.Cast
    /// The client's chat call. The panel's progress lines are removed from its messages.
    package private(set) var call: ChatCall
    /// The caller who sent the request, with the caller's own access to models.
    package let asking: Caller
    /// The request's caller for the calls of the panel. A caller who may use the panel can use all its models.
    package let caller: Caller
    let requester: any PanelRequester
    /// Whether another panel calls this panel.
    ///
    /// False for an inner panel that makes the complete (not streamed) response to the client.
    private let isInner: Bool
    private let summary: Resolution?
    /// The fit for the call of the summary model; nil if another panel makes the summary.
    package private(set) var summaryFit: ChatFit?
    /// The inner panel that makes the summary; nil if a model makes the summary.
    package private(set) var maker: PanelChat?
    /// The memory that is reserved for the responses of the members; nil before they have arrived.
    private var reservation: MemoryReservation?

    /// - Parameter asked: the client's call, without the panel's progress lines.
    package init(
        _ asked: consuming ChatCall,
        _ panel: Panel,
        caller: Caller,
        for requester: any PanelRequester,
        isInner: Bool = false
    ) {
        var call = asked
        call.original = nil
        if call.needs.contains(.compaction) { call.becomeSummary(unless: []) }
        self.panel = panel
        self.requester = requester
        self.isInner = isInner
        asking = caller
        cast = panel.cast(for: call)
        self.caller = caller.allowingAllModels(ifAllowed: call.model)
        summary = try? requester.registry.resolve(.member(cast.summary), for: self.caller)
        self.call = call
    }

    var loop: EventLoop { requester.services.loop }

    // MARK: Preparation

    /// Fits the call of the summary model. Throws if this model cannot serve the request.
    package func prepare() async throws(APIError) {
        if call.arePromptsSeparate { throw .value("prompt", "a panel supports only one prompt per request") }
        guard !call.messages.isEmpty, let summary else { throw .modelNotFound(call.model) }
        let asked = panel.summaryCall(of: call, [], prompt: cast.prompt)
        switch summary {
        case .candidates(let candidates):
            summaryFit = try await ChatTask(asked, candidates, caller: caller, for: requester).leadingFit()
        case .panel(let panel):
            let chat = PanelChat(asked, panel, caller: caller, for: requester, isInner: true)
            try await chat.prepare()
            maker = chat
        }
    }

    /// The fit for the call that makes the final summary; nil before `prepare()`.
    package var finalSummaryFit: ChatFit? { summaryFit ?? maker?.finalSummaryFit }

    /// Returns a new fit for the call of the summary model; nil if an inner panel makes the summary, or if no fit is
    /// possible.
    package func newSummaryFit() -> ChatFit? {
        guard maker == nil, case .candidates(let candidates) = summary else { return nil }
        return try? ChatFit(
            panel.summaryCall(of: call, [], prompt: cast.prompt),
            candidates.leading,
            caller: caller,
            services: requester.services
        )
    }

    // MARK: Calls of members and summary

    /// Calls the members and then the summary model, until its response has begun.
    package func open(_ billing: Billing, notes: (any ProgressNotes)?) async throws(UpstreamError) -> BegunChat {
        let feedback = notes.flatMap { panel.mode == .direct ? nil : PanelFeedback(panel.feedback, $0) }
        feedback?.begin()
        let asked = try await askedSummary(billing: billing, feedback)
        feedback?.end()
        let end = loop.now + UInt64(clamping: panel.summaryTimeout.nanoseconds)
        let begun = try await TimedCall(by: loop).result(until: end, orFailFor: Self.tooLate) {
            [self] () async throws(UpstreamError) in
            try await open(summary, cast.summary, asked, isLast: !isInner, billing: billing)
        }
        if case .stream(let open) = begun, end < open.limit?.end ?? .distantFuture { open.limit = (end, Self.tooLate) }
        return begun
    }

    private static let tooLate = "the summary took longer than SUMMARY_TIMEOUT"

    /// Calls all members. Returns the call for the summary model, which contains the members' responses.
    private func askedSummary(billing: Billing, _ feedback: PanelFeedback?) async throws(UpstreamError) -> ChatCall {
        var references: [String] = []
        if !cast.members.isEmpty {
            let members = PanelMembers(self, billing, feedback: feedback)
            references = try await members.references()
            reservation = members.reservation
        }
        let asked = panel.summaryCall(of: call, references, prompt: cast.prompt)
        call.messages = []
        call.attachments = []
        summaryFit?.release()
        return asked
    }

    /// Calls a model or an inner panel until its response has begun.
    /// - Parameters:
    ///   - name: the name of the model or inner panel in the panel's settings.
    ///   - isLast: whether the response goes to the client.
    func open(
        _ target: Resolution?,
        _ name: String,
        _ asked: ChatCall,
        isLast: Bool,
        billing: Billing
    ) async throws(UpstreamError) -> BegunChat {
        switch target {
        case .candidates(let candidates):
            let part = PanelCall(name, billing, for: requester, isLast: isLast)
            do throws(UpstreamError) {
                try await requester.admit(part, asked, candidates.leading, for: caller)
                return try await part.open(try task(asked, candidates, choosing: part.choose))
            } catch {
                part.ended(nil, error)
                throw error
            }
        case .panel(let panel):
            let inner = PanelChat(asked, panel, caller: caller, for: requester, isInner: !isLast)
            return try await inner.open(billing, notes: nil)
        case nil: throw UpstreamError(refusing: .modelNotFound(name))
        }
    }

    private func task(
        _ asked: ChatCall,
        _ candidates: Candidates,
        choosing: @escaping (Candidate) -> Void
    ) throws(UpstreamError) -> ChatTask {
        do throws(APIError) {
            return try ChatTask(asked, candidates, caller: caller, for: requester, choosing: choosing)
        } catch {
            throw UpstreamError(refusing: error)
        }
    }
}

/// A writer of progress lines about the members of a panel.
struct PanelFeedback {
    private let form: Panel.Feedback
    private let writer: any ProgressNotes

    init(_ form: Panel.Feedback, _ writer: any ProgressNotes) {
        self.form = form
        self.writer = writer
    }

    /// Sends a space at the start of the response, if progress lines are sent as its text or as its reasoning.
    func begin() {
        switch form {
        case .content: writer.begin(with: " ")
        case .reasoning: " ".withBytes { writer.write(0, .reasoning($0)) }
        case .comment, .off: return
        }
        writer.flush()
    }

    /// Ends reasoning that consists of progress lines: the summary model's signature is not for them.
    func end() { if form == .reasoning { "".withBytes { writer.write(0, .signature(call: nil, $0)) } } }

    /// Sends the progress line of a panel member that has ended.
    func mark(_ member: String, isGood: Bool) {
        let line = PanelProgressLines.line(member, isGood: isGood)
        switch form {
        case .content: line.withBytes { writer.write(0, .text($0)) }
        case .reasoning: line.withBytes { writer.write(0, .reasoning($0)) }
        case .comment: String(line.dropLast()).withBytes { writer.write(0, .comment($0)) }
        case .off: return
        }
        writer.flush()
    }
}

extension UpstreamError {
    /// Whether the error is probably temporary, so that the same call can succeed later.
    package var mayPass: Bool {
        if kind == .outOfCredit || kind == .cancelled || isOfRelay { return false }
        if let status = self.refusal?.status ?? self.status {
            return [408, 409, 429].contains(status) || status >= 500
        }
        return switch fault {
        case .unreachable, .insecure, .connectTimeout, .broken, .rateLimited, .unavailable: true
        default: false
        }
    }

    /// A short description of a panel member's failure for clients, without keys and addresses.
    package var ofMember: String {
        guard let refusal = self.refusal else { return shortly }
        return refusal.status == 429 ? "over a limit of the relay (429)" : "refused by the relay (\(refusal.status))"
    }
}
