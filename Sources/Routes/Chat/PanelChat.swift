import Calls
import Engine
import Limits
import Shared
import Upstream

/// A chat call to a panel: the calls to the members, and then the call to the summary model.
final class PanelChat: ChatSource, OnLoop, @unchecked Sendable {
    let panel: Panel
    let cast: Panel.Cast
    /// The client's chat call. The panel's progress lines are removed from its messages.
    private(set) var call: ChatCall
    /// The caller who sent the request, with the caller's own access to models.
    private let asking: Caller
    /// The request's caller for the calls of the panel. A caller who may use the panel can use all its models.
    let caller: Caller
    let exchange: Exchange
    /// Whether another panel calls this panel.
    ///
    /// False for an inner panel that makes the complete (not streamed) response to the client.
    private let isInner: Bool
    private let summary: Resolution?
    /// The fit for the call of the summary model; nil if another panel makes the summary.
    private var draft: ChatFit?
    /// The inner panel that makes the summary; nil if a model makes the summary.
    private var maker: PanelChat?
    /// The memory that is reserved for the responses of the members; nil before they have arrived.
    private var reservation: MemoryReservation?

    init(_ asked: consuming ChatCall, _ panel: Panel, caller: Caller, exchange: Exchange, isInner: Bool = false) {
        var call = asked
        call.original = nil
        if call.needs.contains(.compaction) { call.becomeSummary(unless: []) }
        exchange.gateway.registry.marks.remove(from: &call.messages)
        self.panel = panel
        self.exchange = exchange
        self.isInner = isInner
        asking = caller
        cast = panel.cast(for: call)
        self.caller = caller.allowingAllModels(ifAllowed: call.model)
        summary = try? exchange.gateway.registry.resolve(.member(cast.summary), for: self.caller)
        self.call = call
    }

    var gateway: Gateway { exchange.gateway }
    var loop: EventLoop { exchange.gateway.loop }

    // MARK: Preparation and admission

    var outline: ChatOutline? { lastDraft.map { ChatOutline(options: $0.options, cachedName: panel.name) } }

    /// Fits the call of the summary model. Throws if this model cannot serve the request.
    private func prepare() async throws(APIError) {
        if call.arePromptsSeparate { throw .value("prompt", "a panel supports only one prompt per request") }
        guard !call.messages.isEmpty, let summary else { throw .modelNotFound(call.model) }
        let asked = panel.summaryCall(of: call, [], prompt: cast.prompt)
        switch summary {
        case .candidates(let candidates):
            draft = try await ChatTask(asked, candidates, caller: caller, for: exchange).leadingFit()
        case .panel(let panel):
            let chat = PanelChat(asked, panel, caller: caller, exchange: exchange, isInner: true)
            try await chat.prepare()
            maker = chat
        }
        if !isInner, panel.name != call.model { exchange.record.substitute = panel.name }
    }

    /// The fit for the call that makes the final summary; nil before `prepare()`.
    private var lastDraft: ChatFit? { draft ?? maker?.lastDraft }

    /// Counts the request in its limits, and reserves units for all its upstream calls.
    ///
    /// Throws if a limit refuses the request.
    func admitted(_ exchange: Exchange) async throws(APIError) -> Admission {
        try await prepare()
        if asking.kind == .passThrough, let draft = lastDraft {
            try await exchange.countUnknownKey(asking, servedBy: draft.candidate)
        }
        let applicableLimits = exchange.applicableLimits(asking, .chat, servedBy: panel.name)
        let (reserved, minimum, _) = reservation(under: applicableLimits)
        let usageReservation = UsageReservation(
            reserving: reserved,
            atLeast: minimum,
            model: panel.name,
            creditsPerCall: 0,
            averages: gateway.limiter.averages
        )
        return try await exchange.admit(
            applicableLimits,
            gateway.limits.countsLate || reserved.images > 0 ? usageReservation : nil
        )
    }

    /// Returns the units to reserve for all upstream calls of the panel.
    ///
    /// - Returns: `amounts` are the units to reserve. `minimum` are the units without what averages of earlier
    ///   responses add.
    ///   `responseTokens` is the expected length of the panel's response in tokens.
    private func reservation(
        under applicableLimits: ApplicableLimits
    ) -> (amounts: Amounts, minimum: Amounts, responseTokens: Int) {
        guard gateway.limits.countsLate || !applicableLimits.isPlain else { return (Amounts(), Amounts(), 0) }
        let asked = panel.memberCall(of: call)
        // Each member may count with its own vocabulary.
        let isLong = asked.allTextBytes * (cast.members.count + 1) > PanelChat.countedBytes
        var (amounts, minimum) = (Amounts(), Amounts())
        var referenceTokens = 0
        for name in cast.members {
            switch try? gateway.registry.resolve(.member(name), for: caller) {
            case .candidates(let candidates):
                let leading = candidates.leading
                let usageReservation = UsageReservation(
                    asked,
                    leading,
                    caller: caller,
                    applicableLimits: applicableLimits,
                    gateway: gateway,
                    extras: PromptExtras(isEstimated: isLong)
                )
                amounts = amounts + (usageReservation?.reserved ?? Amounts())
                minimum = minimum + (usageReservation?.minimum ?? Amounts())
                referenceTokens += responseTokens(of: leading)
            case .panel(let panel):
                let inner = PanelChat(asked, panel, caller: caller, exchange: exchange, isInner: true)
                let (more, least, tokens) = inner.reservation(under: applicableLimits)
                (amounts, minimum) = (amounts + more, minimum + least)
                referenceTokens += tokens
            case nil: break
            }
        }
        if let draft = draft ?? ownDraft() {
            let usageReservation = exchange.usageReservation(
                for: draft,
                under: applicableLimits,
                expecting: referenceTokens
            )
            return (
                amounts + (usageReservation?.reserved ?? Amounts()), minimum + (usageReservation?.minimum ?? Amounts()),
                call.maxTokens ?? responseTokens(of: draft.candidate)
            )
        }
        guard let maker else { return (amounts, minimum, 0) }
        let (more, least, tokens) = maker.reservation(under: applicableLimits)
        return (amounts + more + Amounts(tokens: referenceTokens), minimum + least, tokens)
    }

    /// The longest text whose tokens are counted on the event loop, in bytes.
    private static let countedBytes = 32_768

    /// Returns a new fit for the call of the summary model; nil if an inner panel makes the summary, or if no fit is
    /// possible.
    private func ownDraft() -> ChatFit? {
        guard maker == nil, case .candidates(let candidates) = summary else { return nil }
        return try? ChatFit(
            panel.summaryCall(of: call, [], prompt: cast.prompt),
            candidates.leading,
            caller: caller,
            services: gateway
        )
    }

    private func responseTokens(of candidate: Candidate) -> Int {
        gateway.expectedTokens(of: candidate.model, for: caller)
    }

    // MARK: Calls of members and summary

    /// Calls the members and then the summary model, until its response has begun.
    func open(_ billing: Billing, notes: (any ChatStreamWriter)?) async throws(UpstreamError) -> BegunChat {
        let feedback = notes.flatMap { panel.mode == .direct ? nil : PanelFeedback(panel.feedback, $0) }
        feedback?.begin()
        let asked = try await askedSummary(billing: billing, feedback)
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
        draft?.release()
        return asked
    }

    /// Calls a model or an inner panel until its response has begun.
    ///
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
            let part = PanelCall(name, billing, exchange: exchange, isLast: isLast)
            do throws(UpstreamError) {
                try await part.admit(asked, candidates, for: caller)
                return try await part.open(try task(asked, candidates, choosing: part.choose))
            } catch {
                part.ended(nil, error)
                throw error
            }
        case .panel(let panel):
            let inner = PanelChat(asked, panel, caller: caller, exchange: exchange, isInner: !isLast)
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
            return try ChatTask(asked, candidates, caller: caller, for: exchange, choosing: choosing)
        } catch {
            throw UpstreamError(refusing: error)
        }
    }
}
