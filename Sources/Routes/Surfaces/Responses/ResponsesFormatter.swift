import Engine
import Glibc
import Limits
import Shared
import Upstream

/// A formatter of responses to `POST /v1/responses`, as JSON or as events.
final class ResponsesFormatter: ChatResponseFormatter, OnLoop, @unchecked Sendable {
    private var draft: ResponseDraft

    init(_ draft: ResponseDraft) {
        self.draft = draft
        if !draft.hasReferences { giveUpCall() }
    }

    var names: ToolNames { draft.names }
    var wantsSummary: Bool { draft.wantsSummary }
    var hasReferences: Bool { draft.hasReferences }

    func passes(_ request: OriginalRequest) -> Bool {
        draft.isWhole && !(request.names.contains(.resources) && RequestCheck.namesResources(inInputOf: request))
    }

    func resolve(_ asked: ChatRequest, for caller: Caller, _ exchange: Exchange) async throws(APIError) {
        let original = asked.call.original
        try await draft.resolve(for: caller, exchange.gateway)
        asked.call = draft.call
        if let original { asked.call.keep(original.replacingCompactions(by: draft.input.summaries)) }
        giveUpCall()
    }

    /// Frees the draft's call, items and attachments. The code that runs the call has its own copy.
    private func giveUpCall() {
        draft.call = ChatCall()
        for index in draft.input.items.indices { draft.input.items[index].kind = .ignored }
        draft.input.attachments = []
    }

    func object(_ wanted: FormatterOptions, _ exchange: Exchange) -> ResponseObject {
        let id = exchange.gateway.ids.id("")
        return ResponseObject(seed: id, createdAt: time(nil), model: wanted.model, echo: draft.echo)
    }

    func writer(for wanted: FormatterOptions, _ exchange: Exchange) -> any ChatStreamWriter {
        let object = object(wanted, exchange)
        guard draft.isCompacting else {
            return ResponseEvents(self, object, mayBeNative: wanted.mayBeNative, exchange: exchange)
        }
        return CompactionEvents(self, object, exchange: exchange)
    }

    func write(_ response: ChatResponse, _ wanted: FormatterOptions, _ exchange: Exchange) async throws(UpstreamError) {
        if let original = response.original { return original.read { exchange.send(json: $0) } }
        guard let choice = response.choices.first else {
            throw UpstreamError(.failed, cause: "the response has no choice")
        }
        let object = object(wanted, exchange)
        let mayStore = mayStore(exchange)
        let length = choice.bytes + draft.echo.bytes.count + 2_048
        let gateway = exchange.gateway
        let (names, usage, isSummary) = (names, response.usage ?? .nothing, draft.wantsSummary)
        let compaction = draft.isCompacting ? try await compaction(choice, of: object, exchange) : nil
        func body(isStored: Bool) async throws(UpstreamError) -> Body {
            let body = await gateway.worker.result(ofBytes: length, on: gateway.loop) {
                var output = ByteBuffer()
                _ = output.reserve(length)
                if let compaction {
                    output.append(compaction.bytes)
                } else {
                    object.append(choice, names, isSummary: isSummary, to: &output)
                }
                var body = ByteBuffer()
                _ = body.reserve(length + 1_024)
                object.append(.finished(choice.finish), output: output.bytes, usage, isStored: isStored, to: &body)
                return Body(body)
            }
            guard let body else { throw .tooMuchWork }
            return body
        }
        var whole = try await body(isStored: mayStore)
        if mayStore, !(await store(whole, object, exchange: exchange)) { whole = try await body(isStored: false) }
        whole.read { exchange.send(json: $0) }
    }

    /// Returns the output item for a compacted conversation: the vendor's own, or the encrypted summary.
    /// - Throws: an error if the model has returned neither.
    func compaction(
        _ choice: ChatResponse.Choice,
        of object: ResponseObject,
        _ exchange: Exchange
    ) async throws(UpstreamError) -> Body {
        let gateway = exchange.gateway
        let parts = choice.reasoningBlocks.lazy.compactMap(\.compactionParts).first
        let summary = choice.text ?? Body(ByteBuffer())
        guard parts != nil || !summary.bytes.isEmpty, let caller = exchange.asking?.caller else {
            throw UpstreamError(.failed, cause: "a summary without text")
        }
        let seal = CompactionSeal(caller, secret: gateway.settings.fileSecret)
        let bytes = summary.bytes.count + (parts?.content.utf8.count ?? 0)
        let item = await gateway.worker.result(ofBytes: bytes, on: gateway.loop) {
            var item = ByteBuffer()
            let id = parts?.id ?? ""
            let content = parts?.content ?? seal.seal(summary)
            OutputItem.append(compaction: content, id.isEmpty ? "cmp_\(object.seed)" : id, to: &item)
            return Body(item)
        }
        guard let item else { throw .tooMuchWork }
        return item
    }

    // MARK: Storing

    /// Stores a streamed response if it may be stored, and records in `progress` whether it is.
    func store(
        _ progress: ResponseProgress,
        _ outcome: ResponseObject.Outcome,
        _ usage: Usage,
        _ exchange: Exchange
    ) async {
        guard progress.isStored else { return }
        progress.isStored = progress.outputBytes <= StoredResponse.limitBytes
        guard progress.isStored else { return }
        var object = ByteBuffer()
        progress.append(outcome, usage, to: &object)
        progress.isStored = await store(Body(object), progress.object, exchange: exchange)
    }

    /// Returns whether the response may be stored. Does not check the size of the output.
    func mayStore(_ exchange: Exchange) -> Bool {
        guard draft.isStored, draft.input.keptBytes <= StoredResponse.limitBytes, let caller = exchange.asking?.caller
        else { return false }
        return caller.identity != nil
    }

    /// Encrypts the response and its input, and stores them. Returns false if the data is too large or storing fails.
    func store(_ object: Body, _ response: ResponseObject, exchange: Exchange) async -> Bool {
        let gateway = exchange.gateway
        guard let caller = exchange.asking?.caller, let owner = gateway.responseOwner(caller) else { return false }
        let length = object.bytes.count + draft.input.keptBytes
        guard length <= StoredResponse.limitBytes else { return false }
        let input = draft.input
        let sealed: [UInt8]?? = await gateway.worker.result(ofBytes: length, on: gateway.loop) {
            var items = ByteBuffer()
            input.append(to: &items, seed: response.seed)
            let record = StoredResponse(object: object, input: Body(items))
            return owner.seal(record, response.id)
        }
        guard let sealed = sealed ?? nil else { return false }
        do throws(StoreFailure) {
            try await gateway.responses.add(sealed, response.id, of: owner, on: gateway.loop)
            return true
        } catch {
            guard !Task.isCancelled else { return false }
            gateway.log.warning("a response cannot be stored") { $0.add("cause", error.reason) }
            return false
        }
    }
}

extension ResponseObject {
    /// Appends the output items of a response that was not streamed: reasoning, messages and tool calls.
    fileprivate func append(
        _ choice: ChatResponse.Choice,
        _ names: ToolNames,
        isSummary: Bool,
        to out: inout ByteBuffer
    ) {
        var count = 0
        let status = Outcome.finished(choice.finish).itemStatus
        func next(_ type: ItemType) -> String {
            if count > 0 { out.append(",") }
            defer { count += 1 }
            return itemID(type, count)
        }
        if let reasoning = choice.reasoning, !reasoning.bytes.isEmpty {
            OutputItem.append(
                reasoning: reasoning.bytes,
                isSummary: isSummary,
                signature: .empty,
                next(.reasoning),
                "completed",
                to: &out
            )
        }
        var left = (text: choice.text?.bytes.count ?? 0, calls: choice.toolCalls.count)
        func itemStatus() -> StaticString {
            left.text == 0 && left.calls == 0 && choice.refusal == nil ? status : "completed"
        }
        var message = OutputItem.Message()
        choice.forEachPart { reasoningBlock in
            OutputItem.append(reasoningBlock, isSummary: isSummary, next(.reasoning), to: &out)
        } text: { text in
            left.text -= text.count
            OutputItem.append(message, text, next(.message), itemStatus(), to: &out)
            message = OutputItem.Message()
        } call: { call in
            left.calls -= 1
            let name = call.name.withBytes { names[$0] }
            OutputItem.append(call, name, id: next(name.itemType), status: itemStatus(), to: &out)
        } mark: { mark in
            switch mark.kind {
            case .message(let phase): message = OutputItem.Message(phase: phase)
            case .annotation(let json): message.annotations.append(json)
            }
        }
        if count == 0, choice.refusal == nil { OutputItem.append(message, .empty, next(.message), status, to: &out) }
        if let refusal = choice.refusal {
            message.isRefusal = true
            OutputItem.append(message, refusal.bytes, next(.message), status, to: &out)
        }
    }
}

extension UnsafeRawBufferPointer {
    static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
}
