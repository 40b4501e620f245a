import Engine
import Shared

/// The preparation of a chat, which can wait: prompts, files, images and the vendor's form of the call.
extension ChatFit {
    /// Writes tools and the output format into the prompt, and prepares attached files.
    func prepare() async throws(APIError) {
        if let form {
            let asked = call
            let bytes = call.allTextBytes
            let written = await services.worker.result(ofBytes: bytes, on: services.loop) { form.written(asked) }
            guard let written else { throw .tooMuchWork }
            call = written
        }
        if namesFiles {
            try await nameFiles()
        } else if call.needs.contains(.inlineMedia), !abilities.contains(.inlineMedia) {
            var access = services.mediaAccess(for: caller)
            access.mayRepeat = mayRepeat
            call.attachments.leaveOutOlderImages()
            let plan = try await AttachmentPlan(call, candidate, access: access)
            candidate = plan.candidate
            route = .attached(plan, access)
        }
        options = FormatterOptions(call, candidate)
        emulation = Self.emulation(of: call, lacking: abilities, count, services)
        isShort = candidate.chats && count.countShort(call)
        sentBytes = call.sentBytes
        isUnprepared = false
    }

    private func nameFiles() async throws(APIError) {
        let files = try await KeptFiles(call, candidate, access: services.mediaAccess(for: caller))
        let asked = call
        let bytes = call.original?.bytes.count ?? 0
        let written = await services.worker.result(ofBytes: bytes, on: services.loop) { files.written(into: asked) }
        guard let written else { throw .tooMuchWork }
        call = written
        candidate = files.candidate
    }

    @inline(never)  // Its copy of the call would be a part of each request's frame.
    private func recall(by attempt: Attempt) async {
        await candidate.provider.recall(call, for: candidate.model, by: attempt)
    }

    /// Returns the call in the vendor's form, with the emulation of abilities that the vendor lacks.
    @inline(__always)  // A further frame would cost each request.
    func prepared(by attempt: Attempt, _ isLast: Bool) async throws(UpstreamError) -> any PreparedChat {
        // A single message has no earlier responses.
        if call.messages.count > 1, candidate.provider.sharesMemory { await recall(by: attempt) }
        if call.mayLeaveOutTools, call.original == nil { attempt.billing.leaveOut("tools") }
        for name in call.rare?.value.unread ?? [] { attempt.billing.leaveOut(name) }
        return isPlain ? preparedAtOnce(by: attempt, isLast) : try await preparedLater(by: attempt, isLast)
    }

    @inline(never)  // Its copy of the call would be a part of each request's frame.
    private func preparedAtOnce(by attempt: Attempt, _ isLast: Bool) -> any PreparedChat {
        let chat = candidate.provider.prepare(isLast ? call.taken() : call, for: candidate.model, by: attempt)
        chat.write()
        return emulation.isNeeded ? emulation.completed(chat) : chat
    }

    /// Whether the call can be converted without waiting for files or a worker thread.
    private var isPlain: Bool {
        guard case .plain = route, form == nil, !call.arePromptsSeparate else { return false }
        return sentBytes <= WorkQueue.loopBytes
    }

    /// Whether all waits of the call end at the time by which its response must begin (`Billing.endsAt`).
    package var keepsDeadline: Bool { isPlain && candidate.provider.keepsDeadlines }

    @inline(never)  // Rarely called.
    private func preparedLater(by attempt: Attempt, _ isLast: Bool) async throws(UpstreamError) -> any PreparedChat {
        if case .plain = route, call.arePromptsSeparate { return try await prepareSeparatePrompts(by: attempt, isLast) }
        let chat = try await written(call, by: attempt)
        if let form {
            let context = OutputParserContext(
                ids: services.ids,
                memory: services.memory,
                worker: services.worker,
                loop: services.loop
            )
            return emulation.completed(chat, of: call, in: form, with: context) {
                [self] (call, attempt) async throws(UpstreamError) in
                try await written(lowered(call, by: attempt.billing), by: attempt)
            }
        }
        if isLast, case .plain = route { dropContent() }
        return emulation.completed(chat)
    }

    /// Releases the data that only another attempt would need.
    package func release() {
        spare = nil
        if case .plain = route { dropContent() }
    }

    private func dropContent() {
        call.messages = []
        call.original = nil
        call.changedOriginal = nil
    }

    /// Converts a call with several prompts into the vendor's form: one chat for each prompt.
    private func prepareSeparatePrompts(
        by attempt: Attempt,
        _ isLast: Bool
    ) async throws(UpstreamError) -> any PreparedChat {
        var chats: [any PreparedChat] = []
        for prompt in call.prompts { chats.append(try await written(prompt, by: attempt)) }
        if isLast { dropContent() }
        return emulation.completed(chats)
    }

    /// Returns a call in the vendor's form, after its attachments have been loaded.
    private func written(_ call: ChatCall, by attempt: Attempt) async throws(UpstreamError) -> any PreparedChat {
        switch route {
        case .links(let links): return links.prepared
        case .attached(let plan, let access): return try await plan.prepare(call, by: attempt, access)
        case .fetched(let fetch):
            var call = call
            call.attachments = try await fetch.fetched(call.attachments)
            return try await writtenAsIs(call, by: attempt)
        case .plain: return try await writtenAsIs(call, by: attempt)
        }
    }

    private func writtenAsIs(_ call: ChatCall, by attempt: Attempt) async throws(UpstreamError) -> any PreparedChat {
        let bytes = call.sentBytes
        let chat = candidate.provider.prepare(call, for: candidate.model, by: attempt)
        if bytes <= WorkQueue.loopBytes {
            chat.write()
        } else if await services.worker.result(ofBytes: bytes, on: services.loop, { chat.write() }) == nil {
            throw .tooMuchWork
        }
        return chat
    }
}
