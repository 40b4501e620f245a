import Calls
import Engine
import Limits
import Shared
import Upstream

/// A plan for a chat call: its candidate, and the emulation of abilities that the candidate's vendor lacks.
final class ChatPlan: AttemptFit, OnLoop, @unchecked Sendable {
    private enum Way {
        case plain
        case attached(AttachmentPlan, MediaAccess)
        case fetched(MediaFetch)
        case links(LinkPlan)
    }

    private(set) var candidate: Candidate
    private(set) var wanted: FormatterOptions
    private var call: ChatCall
    // Facts about the call, stored because reading them from the call would copy it:
    private var isShort = false
    /// Whether the vendor itself checks the length of the call, because it gets the client's request unchanged.
    private let leavesLength: Bool
    private var sentBytes: Int
    private var way = Way.plain
    private var completion: ChatEmulation
    private let count: CallCount
    private let abilities: Abilities
    /// The rules for writing tools and the output format into the prompt; nil if not needed.
    private var form: TextProtocol?
    private let caller: Caller
    private let gateway: Gateway
    private let mayRepeat: Bool
    /// Whether `finish` must be called before the plan can be used.
    private(set) var isUnfinished = false
    /// Whether the relay must replace file ids by the vendor's names for these files.
    private let namesFiles: Bool
    /// A copy of the call for a second attempt with emulation; nil if no such attempt can be needed.
    private var spare: Indirect<ChatCall>?

    /// The abilities that some vendors' servers lack although the vendor's API has them.
    private static let doubtful: Abilities = [
        .choices, .objects, .schemas, .toolChoice, .compaction, .uncheckedArguments,
    ]

    /// Creates the plan of a call.
    ///
    /// Throws if the candidate lacks an ability that the relay cannot emulate.
    /// - Parameters:
    ///   - mayRepeat: whether the relay can repeat the call with another key or another candidate.
    ///   - isRepair: whether the prompt describes tools and the output format because the vendor's support failed.
    init(
        _ call: consuming ChatCall,
        _ candidate: Candidate,
        caller: Caller,
        gateway: Gateway,
        mayRepeat: Bool = false,
        isRepair: Bool = false
    ) throws(APIError) {
        let (model, provider) = (candidate.model, candidate.provider)
        if call.original?.wire == .messages, !provider.wires.contains(.messages) { call.original = nil }
        try candidate.begin(&call, for: caller)
        if call.needs.contains(.inlineMedia) {
            try call.attachments.leave(to: provider, isCallersKey: !candidate.usesOwnKey)
        }
        if call.needs.contains(.compaction) { call.becomeSummary(unless: provider.abilities(for: call, of: model)) }
        abilities = provider.abilities(for: call, of: model).subtracting(isRepair ? .asText : [])
        try ChatEmulation.check(call, against: abilities)
        var loadsMedia = call.needs.contains(.inlineMedia) && !abilities.contains(.inlineMedia)
        if candidate.chats {
            form = try TextProtocol(call, lacking: abilities, isRepair: isRepair)
        } else {
            call.isAnsweredByLinks()
            if call.attachments.isEmpty {
                way = .links(try candidate.links(call, gateway.memory(of: caller)))
                loadsMedia = false
            }
        }
        var isFetched = false
        if call.needs.contains(.inlineMedia), !loadsMedia, candidate.chats, !abilities.contains(.mediaAddresses),
            call.attachments.contains(where: \.isAddress)
        {
            way = .fetched(try MediaFetch(call, gateway.mediaAccess(for: caller)))
            isFetched = true
        }
        namesFiles =
            call.needs.contains(.inlineMedia) && !loadsMedia && KeptFiles.areNamed(in: call, by: candidate)
        isUnfinished = loadsMedia || form != nil || namesFiles
        let needed = call.needs.union(.uncheckedArguments)
        let isInDoubt = !needed.intersection(abilities).isDisjoint(with: Self.doubtful)
        if isInDoubt || provider.isUnsure(of: call, for: model), call.unreadError == nil {
            spare = Indirect(copy call)
        }
        if call.original != nil { Self.checkOriginal(of: &call, candidate, abilities, isFetched: isFetched) }
        if call.original == nil, let error = call.unreadError { throw error }
        leavesLength = call.original?.wire == .messages
        count = CallCount(model, by: gateway.worker, on: gateway.loop)
        wanted = FormatterOptions(call, candidate)
        let completion = Self.completion(call, lacking: abilities, count, gateway: gateway)
        if !isUnfinished, candidate.chats, completion.leaves(call) { count.follow(candidate.reports) }
        isShort = candidate.chats && count.countShort(call)
        sentBytes = call.sentBytes
        self.completion = completion
        self.call = consume call
        self.candidate = candidate
        self.caller = caller
        self.gateway = gateway
        self.mayRepeat = mayRepeat
    }

    /// Removes the raw request from a call whose vendor cannot get it.
    private static func checkOriginal(
        of call: inout ChatCall,
        _ candidate: Candidate,
        _ abilities: Abilities,
        isFetched: Bool
    ) {
        let isNative = candidate.provider.acceptsOriginal(of: call, for: candidate.model)
        // Emulation changes the call, and so does fetching an image: the raw request no longer matches it.
        guard !isNative || !call.needs.isSubset(of: abilities) || isFetched else { return }
        if isNative { call.changedOriginal = call.original }
        call.original = nil
    }

    private static func completion(
        _ call: borrowing ChatCall,
        lacking abilities: Abilities,
        _ count: CallCount,
        gateway: Gateway
    ) -> ChatEmulation {
        let (memory, worker, loop) = (gateway.memory, gateway.worker, gateway.loop)
        return ChatEmulation(call, lacking: abilities, count, within: memory, by: worker, on: loop)
    }

    /// Completes an unfinished plan: writes tools and the output format into the prompt, and prepares attached files.
    func finish() async throws(APIError) {
        if let form {
            let asked = call
            let bytes = call.allTextBytes
            let written = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) { form.written(asked) }
            guard let written else { throw .tooMuchWork }
            call = written
        }
        if namesFiles {
            try await nameFiles()
        } else if call.needs.contains(.inlineMedia), !abilities.contains(.inlineMedia) {
            var access = gateway.mediaAccess(for: caller)
            access.mayRepeat = mayRepeat
            call.attachments.leaveOutOlderImages()
            let plan = try await AttachmentPlan(call, candidate, access: access)
            candidate = plan.candidate
            way = .attached(plan, access)
        }
        wanted = FormatterOptions(call, candidate)
        completion = Self.completion(call, lacking: abilities, count, gateway: gateway)
        isShort = candidate.chats && count.countShort(call)
        sentBytes = call.sentBytes
        isUnfinished = false
    }

    private func nameFiles() async throws(APIError) {
        let files = try await KeptFiles(call, candidate, access: gateway.mediaAccess(for: caller))
        let asked = call
        let bytes = call.original?.bytes.count ?? 0
        let written = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) { files.written(into: asked) }
        guard let written else { throw .tooMuchWork }
        call = written
        candidate = files.candidate
    }

    /// Passes an unused plan on to another candidate, and returns whether the plan fits.
    ///
    /// Returns false, without a change, if the other candidate needs a plan of its own.
    /// - Parameter call: the call as the client requested it; its `original` must be nil.
    @inline(__always)
    func passes(_ call: borrowing ChatCall, to other: Candidate) -> Bool {
        // This function is inlined, because a function call would copy the chat call.
        guard case .plain = way, form == nil, !namesFiles, spare == nil, candidate.chats, other.isLike(candidate)
        else { return false }
        guard !call.needs.contains(.inlineMedia), !other.provider.isUnsure(of: call, for: other.model),
            other.provider.abilities(for: call, of: other.model) == abilities
        else { return false }
        candidate = other
        count.pass(to: other.reports)
        return true
    }

    /// Counts the call in all limits that apply to it. Throws if a limit refuses it.
    func admitted(_ exchange: Exchange) async throws(APIError) -> Admission {
        if caller.kind == .passThrough { try await exchange.countUnknownKey(caller, servedBy: candidate) }
        let applicableLimits = applicableLimits(exchange)
        return try await exchange.admit(applicableLimits, usageReservation(under: applicableLimits))
    }

    /// Whether the limits need a reservation for the call.
    var needsReservation: Bool { gateway.limits.countsLate || candidate.imagesOfChat > 0 }

    func applicableLimits(_ exchange: Exchange) -> ApplicableLimits {
        exchange.applicableLimits(caller, .chat, servedBy: candidate.name)
    }

    func usageReservation(under applicableLimits: ApplicableLimits) -> UsageReservation? {
        usageReservation(under: applicableLimits, expecting: 0)
    }

    /// Returns the reservation for the call; nil if no limit needs a reservation.
    ///
    /// - Parameter tokens: the prompt tokens to reserve in addition to the tokens of the call.
    func usageReservation(under applicableLimits: ApplicableLimits, expecting tokens: Int) -> UsageReservation? {
        guard needsReservation else { return nil }
        var extras = PromptExtras(tokens: tokens)
        if case .attached(let plan, _) = way { extras.transcriber = plan.transcriber }
        // One copy, because each use of this object's property would be a copy.
        let call = call
        guard count.isExpected else { return usageReservation(for: call, under: applicableLimits, extras) }
        extras.roughTokens = count.roughTokens(of: call)
        let usageReservation = usageReservation(for: call, under: applicableLimits, extras)
        // An estimate must not decide that the request can never be admitted.
        guard let usageReservation, applicableLimits.mayBeExceeded(by: usageReservation.minimum), call.isCountedAtOnce
        else { return usageReservation }
        extras.roughTokens = nil
        return self.usageReservation(for: call, under: applicableLimits, extras)
    }

    private func usageReservation(
        for call: borrowing ChatCall,
        under applicableLimits: ApplicableLimits,
        _ extras: PromptExtras
    ) -> UsageReservation? {
        UsageReservation(
            call,
            candidate,
            caller: caller,
            applicableLimits: applicableLimits,
            gateway: gateway,
            extras: extras
        )
    }

    /// Returns whether the call's length need not be checked, for example because the call is short.
    func isShort(_ usageReservation: UsageReservation?) -> Bool {
        !candidate.chats || leavesLength || isShort && usageReservation?.prompt.tokens == nil
    }

    /// Lowers the limit of the completion to what the model's context window leaves beside the prompt. Throws if the
    /// prompt is too long for the window.
    ///
    /// - Parameter promptTokens: the number of prompt tokens; nil if not counted.
    func check(_ promptTokens: Int?) async throws(APIError) {
        guard let bound = try await count.count(call, known: promptTokens) else { return }
        call.maxTokens = bound
        call.hasLowerBound = true
    }

    // MARK: Calls of the vendor

    /// Calls the vendor until the response has begun. A response that is not streamed is whole then.
    ///
    /// - Parameters:
    ///   - isLast: whether this plan is not used again.
    ///   - waitsForEvent: whether a streamed response begins with its first event. If not, it begins with its head.
    func open(by attempt: Attempt, isLast: Bool, waitsForEvent: Bool) async throws(UpstreamError) -> BegunChat {
        do throws(UpstreamError) {
            let chat = try await prepared(by: attempt, isLast)
            guard wanted.isStreamed else { return try await whole(chat, attempt) }
            return .stream(try await delivery(of: chat, attempt, waitsForEvent: waitsForEvent))
        } catch {
            guard !error.recovery.isDisjoint(with: [.emulation, .promptForFormat]) else { throw error }
            let (plan, another) = try await emulating(after: error, of: attempt)
            return try await plan.open(by: another, isLast: isLast, waitsForEvent: waitsForEvent)
        }
    }

    /// Returns a plan that emulates an ability which the vendor lacks, and the vendor call for this plan.
    ///
    /// Throws `error`, or the error of the new plan, if no such plan is possible.
    /// - Parameter error: the error that shows which ability the vendor lacks.
    private func emulating(
        after error: UpstreamError,
        of attempt: Attempt
    ) async throws(UpstreamError) -> (ChatPlan, Attempt) {
        guard spare != nil else { throw error }
        let another = try await attempt.another()
        guard let spare = spare.take() else { throw error }
        let isRepair = error.recovery.contains(.promptForFormat)
        if isRepair { attempt.billing.recordRetry() }
        // With strict tools, the arguments may have been invalid rather than the tool call missing.
        let mayLackChoice = spare.value.needs.contains(.toolChoice) && !abilities.contains(.uncheckedArguments)
        var lacking = error.lacking
        if isRepair, mayLackChoice {
            lacking.formUnion(candidate.provider.quirks(lacking: .toolChoice))
        }
        var asked = spare.value
        asked.quirks.met.formUnion(lacking)
        if isRepair || error.isLackLasting { asked.quirks.lasting.formUnion(lacking) }
        asked.quirks.tried.subtract(lacking)
        do throws(APIError) {
            let plan = try ChatPlan(
                asked,
                candidate,
                caller: caller,
                gateway: gateway,
                mayRepeat: mayRepeat,
                isRepair: isRepair
            )
            if plan.isUnfinished { try await plan.finish() }
            if !plan.isShort(nil) { try await plan.check(nil) }
            plan.completion.first = error.partial as? LoggedStream
            return (plan, another)
        } catch let refusal {
            // The vendor did not refuse the unchanged call, so its own failure is reported.
            throw isRepair && refusal.status == 400 ? error : UpstreamError(refusing: refusal)
        }
    }

    /// Calls the vendor, and bills the whole response with its reported, counted or estimated usage.
    private func whole(_ chat: any PreparedChat, _ attempt: Attempt) async throws(UpstreamError) -> BegunChat {
        do throws(UpstreamError) {
            var response = try await chat.gathered()
            count.learn(from: response.usage)
            if response.usage?.isReported != true { response = try await count.counted(response, of: chat) }
            let usage = response.usage ?? onlyPrompt(of: chat)
            if usage.isEstimated { response.includeUsage() }
            if !chat.isBilled { attempt.recordResponse(usage, credits: response.credits) }
            return .whole(response, usage + attempt.billing.unmet)
        } catch {
            throw billed(await count.countedPart(of: error, of: chat), of: chat, attempt)
        }
    }

    /// Bills a call that failed. Returns its error with the usage added.
    private func billed(
        _ error: UpstreamError,
        of chat: any PreparedChat,
        _ attempt: Attempt
    ) -> UpstreamError {
        let usage = error.usage ?? onlyPrompt(of: chat)
        if !chat.isBilled { attempt.failed(error, after: usage) }
        var error = error
        error.usage = usage
        return error
    }

    /// Returns the usage of a call that produced no output: the prompt tokens only.
    private func onlyPrompt(of chat: any PreparedChat) -> Usage {
        Usage(estimating: count.knownPromptTokens(or: count.estimate(of: chat)), completionTokens: 0)
    }

    private func delivery(
        of chat: any PreparedChat,
        _ attempt: Attempt,
        waitsForEvent: Bool
    ) async throws(UpstreamError) -> ChatDelivery {
        let delivery: ChatDelivery
        do throws(UpstreamError) {
            let promptTokens = count.estimate(of: chat)
            delivery = ChatDelivery(
                try await chat.open(isStreamed: true),
                promptTokens: promptTokens,
                count: count,
                isBilled: chat.isBilled,
                attempt: attempt
            )
        } catch {
            throw billed(error, of: chat, attempt)
        }
        if waitsForEvent { try await delivery.waitForEvent() }
        return delivery
    }

    /// Returns the call in the vendor's form, with the emulation of abilities that the vendor lacks.
    private func prepared(by attempt: Attempt, _ isLast: Bool) async throws(UpstreamError) -> any PreparedChat {
        if candidate.provider.mayRecall(call.messages, by: attempt) {
            await candidate.provider.recall(call.messages, by: attempt)
        }
        if let chat = preparedAtOnce(by: attempt, isLast) { return chat }
        return try await preparedLater(by: attempt, isLast)
    }

    /// Whether the call can be converted without waiting for files or a worker thread.
    private var isPlain: Bool {
        guard case .plain = way, form == nil, !call.arePromptsSeparate else { return false }
        return sentBytes <= WorkQueue.loopBytes
    }

    /// Whether all waits of the call end at the time by which its response must begin (`Billing.endsAt`).
    var keepsDeadline: Bool { isPlain && candidate.provider.keepsDeadlines }

    /// Returns the call in the vendor's form; nil if the conversion has to wait.
    private func preparedAtOnce(by attempt: Attempt, _ isLast: Bool) -> (any PreparedChat)? {
        guard isPlain else { return nil }
        let chat = candidate.provider.prepare(isLast ? removedCall() : call, for: candidate.model, by: attempt)
        chat.write()
        return completion.isNeeded ? completion.completed(chat, by: attempt) : chat
    }

    private func preparedLater(
        by attempt: Attempt,
        _ isLast: Bool
    ) async throws(UpstreamError) -> any PreparedChat {
        if case .plain = way, call.arePromptsSeparate {
            return try await prepareSeparatePrompts(by: attempt, isLast)
        }
        let chat = try await written(call, by: attempt)
        if let form {
            let context = OutputParserContext(
                ids: gateway.ids,
                memory: gateway.memory,
                worker: gateway.worker,
                loop: gateway.loop
            )
            return completion.completed(chat, of: call, in: form, by: attempt, with: context) {
                [self] (call, attempt) async throws(UpstreamError) in try await written(call, by: attempt)
            }
        }
        if isLast, case .plain = way { dropContent() }
        return completion.completed(chat, by: attempt)
    }

    /// Releases the data that only another attempt would need.
    func release() {
        spare = nil
        if case .plain = way { dropContent() }
    }

    private func dropContent() {
        call.messages = []
        call.original = nil
        call.changedOriginal = nil
    }

    /// Moves the call out of the plan and leaves an empty call.
    private func removedCall() -> ChatCall {
        var taken = ChatCall()
        swap(&taken, &call)
        return taken
    }

    /// Converts a call with several prompts into the vendor's form: one chat for each prompt.
    private func prepareSeparatePrompts(
        by attempt: Attempt,
        _ isLast: Bool
    ) async throws(UpstreamError) -> any PreparedChat {
        var chats: [any PreparedChat] = []
        for prompt in call.prompts { chats.append(try await written(prompt, by: attempt)) }
        if isLast { dropContent() }
        return completion.completed(chats, by: attempt)
    }

    /// Returns a call in the vendor's form, after its attachments have been loaded.
    private func written(_ call: ChatCall, by attempt: Attempt) async throws(UpstreamError) -> any PreparedChat {
        switch way {
        case .links(let links): return links.prepared(by: attempt)
        case .attached(let plan, let access): return try await plan.prepare(call, by: attempt, access)
        case .fetched(let fetch):
            var call = call
            call.attachments = try await fetch.fetched(call.attachments)
            let chat = try await writtenAsIs(call, by: attempt)
            try await attempt.start()
            return chat
        case .plain: return try await writtenAsIs(call, by: attempt)
        }
    }

    private func writtenAsIs(
        _ call: ChatCall,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any PreparedChat {
        let bytes = call.sentBytes
        let chat = candidate.provider.prepare(call, for: candidate.model, by: attempt)
        if bytes <= WorkQueue.loopBytes {
            chat.write()
        } else if await gateway.worker.result(ofBytes: bytes, on: gateway.loop, { chat.write() }) == nil {
            throw .tooMuchWork
        }
        return chat
    }
}
