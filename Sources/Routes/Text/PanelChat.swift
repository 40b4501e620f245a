import Calls
import Engine
import Limits
import Shared
import Upstream

/// A call to a panel: its members are asked at once, then its summary model answers.
///
/// `@unchecked`: used on its request's loop only.
final class PanelChat: @unchecked Sendable {
    let panel: Panel
    let cast: Panel.Cast
    /// Without marks of earlier answers; kept until the summary model is asked.
    private(set) var call: ChatCall
    /// The caller of the request.
    private let asking: Caller
    /// The same, with the right to all that the panel asks.
    let caller: Caller
    let exchange: Exchange
    /// A panel asks it.
    private let isInner: Bool
    private let summary: ChatTarget?
    /// The plan for the summary before its references are known, or the panel that makes it.
    private var draft: ChatPlan?
    private var maker: PanelChat?
    /// Covers the answers of members.
    private var hold: MemoryHold?

    init(_ asked: consuming ChatCall, _ panel: Panel, _ caller: Caller, _ exchange: Exchange, isInner: Bool = false) {
        var call = asked
        call.original = nil
        exchange.gateway.registry.marks.remove(from: &call.messages)
        self.panel = panel
        self.exchange = exchange
        self.isInner = isInner
        asking = caller
        cast = panel.cast(for: call)
        self.caller = caller.mayingAll(ifMaying: call.model)
        summary = try? exchange.gateway.registry.target(ofMember: cast.summary, for: self.caller)
        self.call = call
    }

    var gateway: Gateway { exchange.gateway }
    var loop: EventLoop { exchange.gateway.loop }

    // MARK: Before anybody is asked

    /// Throws what the client is told of a request that the summary model cannot answer.
    func prepare() async throws(APIError) {
        if call.arePromptsSeparate { throw .value("prompt", "a panel takes one prompt at a time") }
        guard !call.messages.isEmpty, let summary else { throw .modelNotFound(call.model) }
        let asked = panel.summaryCall(of: call, [], prompt: cast.prompt)
        switch summary {
        case .candidates(let candidates):
            draft = try await ChatFallback(asked, candidates, caller, exchange).leadingPlan()
        case .panel(let panel):
            let chat = PanelChat(asked, panel, caller, exchange, isInner: true)
            try await chat.prepare()
            maker = chat
        }
        if !isInner, panel.name != call.model { exchange.record.substitute = panel.name }
    }

    /// The plan of the last summary, after `prepare`.
    private var lastDraft: ChatPlan? { draft ?? maker?.lastDraft }

    /// Of the answer. Known after `prepare`.
    func wanted() throws(APIError) -> WantedAnswer {
        guard let draft = lastDraft else { throw .modelNotFound(call.model) }
        return draft.wanted
    }

    /// Counts the request in the limits that cover it, with all that its calls may use, or throws the refusal.
    func admitted() async throws(APIError) -> Admission {
        if asking.kind == .passThrough, let draft = lastDraft {
            try await exchange.countStray(asking, servedBy: draft.candidate)
        }
        let cover = exchange.cover(asking, .chat, servedBy: panel.name)
        let (reserved, minimum, _) = reservation(under: cover)
        let terms = CallTerms(
            reserving: reserved,
            atLeast: minimum,
            model: panel.name,
            creditsPerCall: 0,
            means: gateway.limiter.means
        )
        return try await exchange.admit(cover, gateway.limits.countsLate || reserved.images > 0 ? terms : nil)
    }

    /// The units that all calls may use, the part of them that is no guess, and the tokens of the answer.
    private func reservation(under cover: Cover) -> (amounts: Amounts, minimum: Amounts, answerTokens: Int) {
        guard gateway.limits.countsLate || !cover.isPlain else { return (Amounts(), Amounts(), 0) }
        let asked = panel.memberCall(of: call)
        // Each member may count by a vocabulary of its own.
        let isLong = asked.allTextBytes * (cast.members.count + 1) > PanelChat.countedBytes
        var (amounts, minimum) = (Amounts(), Amounts())
        var referenceTokens = 0
        for name in cast.members {
            switch try? gateway.registry.target(ofMember: name, for: caller) {
            case .candidates(let candidates):
                let leading = candidates.leading
                let terms = CallTerms(asked, leading, caller, cover, gateway, PromptExtras(isEstimated: isLong))
                amounts = amounts + (terms?.reserved ?? Amounts())
                minimum = minimum + (terms?.minimum ?? Amounts())
                referenceTokens += answerTokens(of: leading)
            case .panel(let panel):
                let inner = PanelChat(asked, panel, caller, exchange, isInner: true)
                let (more, least, tokens) = inner.reservation(under: cover)
                (amounts, minimum) = (amounts + more, minimum + least)
                referenceTokens += tokens
            case nil: break
            }
        }
        if let draft = draft ?? ownDraft() {
            let terms = draft.terms(under: cover, expecting: referenceTokens)
            return (
                amounts + (terms?.reserved ?? Amounts()), minimum + (terms?.minimum ?? Amounts()),
                call.maxTokens ?? answerTokens(of: draft.candidate)
            )
        }
        guard let maker else { return (amounts, minimum, 0) }
        let (more, least, tokens) = maker.reservation(under: cover)
        return (amounts + more + Amounts(tokens: referenceTokens), minimum + least, tokens)
    }

    /// Texts of this length are counted by vocabularies without holding up the loop.
    private static let countedBytes = 32_768

    /// Of a panel that is a member, which was not prepared.
    private func ownDraft() -> ChatPlan? {
        guard maker == nil, case .candidates(let candidates) = summary else { return nil }
        return try? ChatPlan(panel.summaryCall(of: call, [], prompt: cast.prompt), candidates.leading, caller, gateway)
    }

    private func answerTokens(of candidate: Candidate) -> Int {
        min(
            gateway.limiter.means.expected(of: candidate.model.id).completionTokens,
            candidate.model.maxOutputTokens ?? .max
        )
    }

    // MARK: Asking

    /// The whole answer, and what the summary used.
    func answer(billing sheet: CallSheet) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        let asked = try await askedSummary(billing: sheet, nil)
        return try await TimedCall(by: loop).result(until: summaryEnd, orFailFor: Self.tooLate) {
            [self] () async throws(UpstreamError) in
            try await answer(of: summary, cast.summary, asked, isLast: !isInner, billing: sheet)
        }
    }

    /// Passes the summary on as it comes, after the marks of members. The client is pinged meanwhile.
    func stream(
        to writer: any AnswerWriter,
        _ wanted: WantedAnswer,
        billing sheet: CallSheet
    ) async throws(UpstreamError) {
        let feedback = isInner || panel.mode == .direct ? nil : PanelFeedback(panel.feedback, writer)
        feedback?.begin()
        let asked = try await pinging(writer) { [self] () async throws(UpstreamError) in
            try await askedSummary(billing: sheet, feedback)
        }
        try await TimedCall(by: loop).result(until: summaryEnd, orFailFor: Self.tooLate) {
            [self] () async throws(UpstreamError) in
            switch summary {
            case .candidates(let candidates):
                let part = PanelPart(cast.summary, sheet, exchange, isLast: true)
                try await part.run { (part) async throws(UpstreamError) in
                    try await part.admit(asked, candidates, for: caller)
                    let fallback = ChatFallback(asked, candidates, caller, exchange, choosing: part.choose)
                    try await fallback.stream(to: writer, wanted, billing: part.sheet)
                    return ((), exchange.record.usage)
                }
            case .panel(let panel):
                let chat = PanelChat(asked, panel, caller, exchange, isInner: true)
                try await chat.stream(to: writer, wanted, billing: sheet)
            case nil: throw UpstreamError(refusing: .modelNotFound(call.model))
            }
        }
    }

    private func pinging<Value: Sendable>(
        _ writer: any AnswerWriter,
        _ wait: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        let pinging = Pinging(writer, loop)
        defer { pinging.stop() }
        return try await wait()
    }

    private static let tooLate = "the summary took longer than SUMMARY_TIMEOUT"

    private var summaryEnd: LoopTime { loop.now + UInt64(clamping: panel.summaryTimeout.nanoseconds) }

    /// The call for the summary model, once the members have ended.
    private func askedSummary(
        billing sheet: CallSheet,
        _ feedback: PanelFeedback?
    ) async throws(UpstreamError) -> ChatCall {
        var references: [String] = []
        if !cast.members.isEmpty {
            let members = PanelMembers(self, sheet, feedback)
            references = try await members.references()
            hold = members.hold
        }
        let asked = panel.summaryCall(of: call, references, prompt: cast.prompt)
        call.messages = []
        call.attachments = []
        draft?.release()
        return asked
    }

    /// - Parameters:
    ///   - name: as the panel has it.
    ///   - isLast: its answer is that of the request.
    func answer(
        of target: ChatTarget?,
        _ name: String,
        _ asked: ChatCall,
        isLast: Bool,
        billing sheet: CallSheet
    ) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        switch target {
        case .candidates(let candidates):
            return try await PanelPart(name, sheet, exchange, isLast: isLast).run {
                (part) async throws(UpstreamError) in
                try await part.admit(asked, candidates, for: caller)
                let fallback = ChatFallback(asked, candidates, caller, exchange, choosing: part.choose)
                let answered = try await fallback.answer(billing: part.sheet)
                return (answered, answered.1)
            }
        case .panel(let panel):
            let inner = PanelChat(asked, panel, caller, exchange, isInner: !isLast)
            return try await inner.answer(billing: sheet)
        case nil: throw UpstreamError(refusing: .modelNotFound(name))
        }
    }
}
