import Calls
import Engine
import Limits
import Shared
import Upstream

/// The plan for a call before its vendor is asked: its candidate, and the emulation of what that lacks. A class:
/// what is in it would stay with a stream to its end if it were among the values of the function that waits for that.
///
/// `@unchecked`: used on its request's loop only.
final class ChatPlan: @unchecked Sendable {
    private enum Way {
        case plain
        case attached(AttachmentPlan, MediaAccess)
        case links(LinkPlan)
    }

    let candidate: Candidate
    let wanted: WantedAnswer
    private var call: ChatCall
    private let way: Way
    private let completion: Completion
    private let count: CallCount
    /// Nil: the vendor has the tools and the format that are asked for, or none are.
    private let form: TextForm?
    private let caller: Caller
    private let gateway: Gateway
    /// Nil: nothing that the vendor does for the call is in doubt.
    private var spare: Spare?

    private init(
        _ call: consuming ChatCall,
        _ form: TextForm?,
        _ candidate: Candidate,
        _ way: Way,
        _ caller: Caller,
        _ gateway: Gateway
    ) {
        wanted = WantedAnswer(call, candidate)
        self.form = form
        count = CallCount(candidate.model, by: gateway.worker, on: gateway.loop)
        completion = Completion(
            call,
            lacking: candidate.provider.abilities(for: call, of: candidate.model),
            count,
            by: gateway.worker,
            on: gateway.loop
        )
        self.call = call
        self.candidate = candidate
        self.way = way
        self.caller = caller
        self.gateway = gateway
    }

    /// Throws what the client is told of a model that they may not use, and of what it and its vendor lack.
    static func made(
        _ call: consuming ChatCall,
        _ caller: Caller,
        _ exchange: Exchange
    ) async throws(APIError) -> ChatPlan {
        let gateway = exchange.gateway
        var call = call
        exchange.record.model = call.model
        exchange.record.isStreamed = call.isStreamed
        let candidate = try gateway.registry.chat(call.model, for: caller)
        let abilities = candidate.provider.abilities(for: call, of: candidate.model)
        try Completion.check(call, against: abilities)
        if !candidate.chats {
            call.isAnsweredByLinks()
            if call.attachments.isEmpty {
                let links = try candidate.links(call, gateway.memory(of: caller))
                return ChatPlan(call, nil, candidate, .links(links), caller, gateway)
            }
        }
        let form = candidate.chats ? try TextForm(call, lacking: abilities) : nil
        let spare = gateway.registry.speaksChat ? Spare(call, candidate, abilities, exchange) : nil
        // An emulation changes the call, so the request no longer says the same.
        if gateway.registry.speaksChat, spare == nil || !call.needs.isSubset(of: abilities) { call.original = nil }
        if let form {
            let asked = call
            let bytes = call.allTextBytes
            let written = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) { form.written(asked) }
            guard let written else { throw .tooMuchWork }
            call = written
        }
        guard call.needs.contains(.inlineMedia), !abilities.contains(.inlineMedia) else {
            let plan = ChatPlan(call, form, candidate, .plain, caller, gateway)
            if let spare, spare.isDoubtful { plan.spare = spare }
            return plan
        }
        let access = gateway.mediaAccess(for: caller)
        let plan = try await AttachmentPlan(call, candidate, access)
        return ChatPlan(call, form, plan.candidate, .attached(plan, access), caller, gateway)
    }

    func cover(_ request: Request) -> Cover {
        gateway.limits.cover(caller, .chat, request, model: candidate.name)
    }

    func terms(under cover: Cover) -> CallTerms? {
        var transcriber: Candidate?
        if case .attached(let plan, _) = way { transcriber = plan.transcriber }
        return CallTerms(call, candidate, caller, cover, gateway, transcriber: transcriber)
    }

    /// Most calls are short, and need no `check`.
    func isShort(_ terms: CallTerms?) -> Bool { !candidate.chats || terms == nil && count.takeShort(call) }

    /// Throws if the call is too long for the model.
    func check(_ terms: CallTerms?) async throws(APIError) {
        try await count.take(call, known: terms?.promptTokens)
    }

    // MARK: Asking

    /// The whole answer, and what it used, counted or estimated.
    func answer(billing sheet: CallSheet) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        var turns = Candidates([candidate]).turns(billing: sheet)
        while let (_, vendorCall) = turns.next() {
            do throws(UpstreamError) {
                return try await answer(of: try await prepared(by: vendorCall), sheet)
            } catch {
                if let plan = try await emulating(after: error) { return try await plan.answer(billing: sheet) }
                try turns.failed(error)
            }
        }
        throw turns.last
    }

    /// A plan that makes up for an ability that the vendor turned out to lack; nil: the failure is another.
    private func emulating(after error: UpstreamError) async throws(UpstreamError) -> ChatPlan? {
        guard error.remedy.contains(.emulation), let spare = self.spare.take() else { return nil }
        do throws(APIError) {
            let plan = try await Self.made(spare.call, caller, spare.exchange)
            if !plan.isShort(nil) { try await plan.check(nil) }
            return plan
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    private func answer(
        of chat: any PreparedChat,
        _ sheet: CallSheet
    ) async throws(UpstreamError) -> (ChatAnswer, Usage) {
        do throws(UpstreamError) {
            var answer = try await chat.answer()
            if answer.usage == nil { answer = try await count.counted(answer, of: chat) }
            let usage = answer.usage ?? onlyPrompt(of: chat)
            if !chat.isBilled { sheet.answered(usage, credits: answer.credits) }
            return (answer, usage)
        } catch {
            if !chat.isBilled { sheet.failed(error, after: onlyPrompt(of: chat)) }
            throw error
        }
    }

    /// The usage of a call that brought nothing.
    private func onlyPrompt(of chat: any PreparedChat) -> Usage {
        Usage(promptTokens: count.knownPromptTokens(or: chat.promptTokens), completionTokens: 0)
    }

    /// The answer as it comes. The client is pinged meanwhile.
    func stream(billing sheet: CallSheet, _ writer: any AnswerWriter) async throws(UpstreamError) -> OpenAnswer {
        var turns = Candidates([candidate]).turns(billing: sheet)
        while let (_, vendorCall) = turns.next() {
            do throws(UpstreamError) {
                let chat = try await prepared(by: vendorCall)
                return try await open(chat, vendorCall, writer)
            } catch {
                if let plan = try await emulating(after: error) { return try await plan.stream(billing: sheet, writer) }
                try turns.failed(error)
            }
        }
        throw turns.last
    }

    private func open(
        _ chat: any PreparedChat,
        _ vendorCall: VendorCall,
        _ writer: any AnswerWriter
    ) async throws(UpstreamError) -> OpenAnswer {
        let pinging = Pinging(writer, gateway.loop)
        defer { pinging.stop() }
        do throws(UpstreamError) {
            let promptTokens = chat.promptTokens
            return OpenAnswer(
                stream: try await chat.stream(),
                promptTokens: promptTokens,
                count: count,
                isBilled: chat.isBilled,
                credential: vendorCall.credential
            )
        } catch {
            if !chat.isBilled { vendorCall.sheet.failed(error, after: onlyPrompt(of: chat)) }
            throw error
        }
    }

    private func prepared(by vendorCall: VendorCall) async throws(UpstreamError) -> any PreparedChat {
        do throws(APIError) {
            if case .plain = way, call.arePromptsSeparate { return try await severally(by: vendorCall) }
            let chat = try await written(call, by: vendorCall)
            if let form {
                return completion.completed(chat, of: call, in: form, by: vendorCall, ids: gateway.ids) {
                    [self] (call, vendorCall) async throws(UpstreamError) in try await again(call, by: vendorCall)
                }
            }
            // The chat has them now.
            if case .plain = way {
                call.messages = []
                call.original = nil
            }
            return completion.completed(chat, by: vendorCall)
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    /// Of several prompts.
    private func severally(by vendorCall: VendorCall) async throws(APIError) -> any PreparedChat {
        var chats: [any PreparedChat] = []
        for prompt in call.prompts { chats.append(try await written(prompt, by: vendorCall)) }
        call.messages = []
        return completion.completed(chats, by: vendorCall)
    }

    private func again(_ call: ChatCall, by vendorCall: VendorCall) async throws(UpstreamError) -> any PreparedChat {
        do throws(APIError) {
            return try await written(call, by: vendorCall)
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    /// The vendor's form of the call.
    private func written(_ call: ChatCall, by vendorCall: VendorCall) async throws(APIError) -> any PreparedChat {
        switch way {
        case .links(let links): return links.prepared(by: vendorCall)
        case .attached(let plan, let access): return try await plan.prepare(call, by: vendorCall, access)
        case .plain:
            let bytes = call.sentBytes
            let chat = candidate.provider.prepare(call, for: candidate.model, by: vendorCall)
            if bytes <= Worker.loopBytes {
                chat.write()
            } else if await gateway.worker.result(ofBytes: bytes, on: gateway.loop, { chat.write() }) == nil {
                throw .tooMuchWork
            }
            return chat
        }
    }
}

/// A call as it was read, for a vendor of its wire.
///
/// `@unchecked`: used on its request's loop only.
private final class Spare: @unchecked Sendable {
    /// Empty if nothing is in doubt.
    let call: ChatCall
    let exchange: Exchange
    /// It makes use of an ability that not all servers of the wire have.
    let isDoubtful: Bool

    private static let doubtful: Abilities = [.choices, .objects, .schemas]

    /// Nil: the vendor speaks no wire.
    init?(_ call: borrowing ChatCall, _ candidate: Candidate, _ abilities: Abilities, _ exchange: Exchange) {
        guard candidate.provider.wires.contains(.chat) else { return nil }
        isDoubtful = !call.needs.intersection(abilities).isDisjoint(with: Self.doubtful)
        self.call = isDoubtful ? copy call : ChatCall()
        self.exchange = exchange
    }
}
