package import Calls
import Engine
package import Shared

/// One chat call to 1min.ai.
///
/// `@unchecked`: used on its event loop only, except for `write`.
final class OneMinChat: PreparedChat, @unchecked Sendable {
    private let vendor: OneMin
    private let model: Model
    private let isCode: Bool
    private let use: OneMinUse
    private let endpoint: Endpoint
    private let searchesWeb: Bool
    /// The chat call whose request body is not written yet; nil after `write`.
    private var call: ChatCall?
    private var body: Body?
    /// The range of the prompt in the request body.
    private var prompt = 0..<0
    private var countedTokens: Int?

    /// The size in bytes above which a prompt is long. `write` also estimates a long prompt's tokens; for other
    /// prompts, only `promptTokens` does.
    private static let longBytes = 262_144

    init(
        _ vendor: OneMin,
        _ call: consuming ChatCall,
        model: Model,
        isCode: Bool,
        endpoint: Endpoint
    ) {
        self.vendor = vendor
        self.model = model
        self.isCode = isCode
        use = OneMinUse(model: model.id, feature: isCode ? .code : .chat)
        self.endpoint = endpoint
        searchesWeb = call.webSearch != nil && !isCode
        self.call = call
    }

    func write() {
        guard let call = call.take() else { return }
        var body = ByteBuffer()
        _ = body.reserve(512 + call.textBytes + 16 * call.messages.count)
        body.append(isCode ? #"{"type":"CODE_GENERATOR","model":"# : #"{"type":"UNIFY_CHAT_WITH_AI","model":"#)
        body.append(json: model.id)
        if isCode { body.append(#","conversationId":"CODE_GENERATOR""#) }
        body.append(#","promptObject":{"prompt":""#)
        let start = body.count
        Prompt.append(call, to: &body)
        if !vendor.keepsLinks { VideoLinks.breakAll(in: &body, from: start) }
        prompt = start..<body.count
        body.append(#"""#)
        if let search = call.webSearch, !isCode {
            body.append(#","settings":{"webSearchSettings":{"webSearch":true,"numOfSite":"#, decimal: search.sites)
            body.append(#","maxWord":"#, decimal: search.words)
            body.append("}}")
        }
        if !call.attachments.isEmpty { Self.append(call.attachments, to: &body) }
        body.append("}}")
        self.body = Body(body)
        if prompt.count > Self.longBytes { countedTokens = promptTokens }
    }

    private func upstream(by attempt: Attempt) -> UpstreamCall {
        write()
        return UpstreamCall(
            endpoint: endpoint,
            headers: vendor.headers(for: attempt.key),
            body: body,
            by: attempt.billing.deadline
        )
    }

    var promptTokens: Int {
        write()
        if let countedTokens { return countedTokens }
        var estimate = TokenEstimate()
        if let body { estimate.add(body.bytes[part: prompt]) }
        let tokens = max(1, estimate.tokens)
        countedTokens = tokens
        return tokens
    }

    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream {
        guard isStreamed else {
            let response = try await gathered(by: attempt)
            let log = EventLog()
            response.emit(log.append)
            return LoggedStream(log, usage: response.usage, credits: response.credits)
        }
        return try await attempt.retrying { () async throws(UpstreamError) in try await streamOnce(by: attempt) }
    }

    /// Makes the upstream call, and waits for the first event.
    private func streamOnce(by attempt: Attempt) async throws(UpstreamError) -> WireStream {
        let stream = WireStream(
            try await vendor.opened(upstream(by: attempt), use, attempt: attempt),
            OneMinReader(vendor.parser, searchesWeb: searchesWeb),
            bounds: UsageBounds(model)
        )
        do throws(UpstreamError) {
            try await stream.begin()
            return stream
        } catch {
            stream.stop()
            vendor.learn(error, use, attempt: attempt)
            throw error
        }
    }

    func gathered(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse {
        try await attempt.retrying { () async throws(UpstreamError) in try await gatheredOnce(by: attempt) }
    }

    private func gatheredOnce(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse {
        let response = try await vendor.record(of: upstream(by: attempt), use, attempt)
        let record = try OneMinRecord(response.bytes, vendor.parser)
        let text = searchesWeb ? ProgressFilter.filtered(record.text) : record.copy()
        let choice = ChatResponse.Choice(text: Body(text), finish: record.finish)
        return ChatResponse([choice], usage: UsageBounds(model).checked(record.usage), credits: record.credits)
    }

    /// Appends the member `attachments`, which names the images and files that were uploaded to the vendor.
    private static func append(_ attachments: [Attachment], to body: inout ByteBuffer) {
        let lists: [(StaticString, Attachment.Kind)] = [("\"images\":[", .image), ("\"files\":[", .file)]
        var isFirst = true
        for (opening, kind) in lists {
            let names = attachments.compactMap { one -> String? in
                if one.kind == kind, case .kept(let name) = one.source { name } else { nil }
            }
            if names.isEmpty { continue }
            body.append(isFirst ? #","attachments":{"# : ",")
            isFirst = false
            body.append(opening)
            body.append(list: names) { name, body in body.append(json: name) }
            body.append("]")
        }
        if !isFirst { body.append("}") }
    }
}

extension OneMin: ChatVendor {
    package var keepsDeadlines: Bool { true }

    /// Returns the vendor's own abilities: only web search. The relay emulates the other abilities.
    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { .searchOptions }

    package func prepare(_ call: consuming ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        var call = consume call
        call.webSearch = call.search(with: model)
        let attachments = call.attachments
        // The code feature accepts only text.
        let isCode =
            call.wantsCode && model.features.contains(.code)
            && !attachments.contains { if case .kept = $0.source { true } else { false } }
            || !model.features.contains(.chat)
        let endpoint = isCode ? features : call.isStreamed ? streamed : whole
        return OneMinChat(self, consume call, model: model, isCode: isCode, endpoint: endpoint)
    }
}
