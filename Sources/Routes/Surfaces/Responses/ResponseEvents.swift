import Engine
import Shared
import Upstream

final class ResponseEvents: BatchWriter, OnLoop, @unchecked Sendable {
    private enum OpenItem {
        case nothing
        case message
        case reasoning
        case call(ToolNames.Name)
    }

    private let formatter: ResponsesFormatter
    let exchange: Exchange
    private let progress: ResponseProgress
    var out = ByteBuffer()
    /// The kind of the output item that is being written; `nothing` between two items.
    private var open = OpenItem.nothing
    /// Whether reasoning is sent as a summary.
    private let isSummary: Bool
    /// The message that is open, or the message that the next text begins.
    private var message = OutputItem.Message()
    private var annotationBytes = 0
    private var itemID = ""
    private var callID = ByteBuffer()
    private var text = ByteBuffer()
    private var signature = ByteBuffer()
    private var itemMembers = ByteBuffer()
    private var outcome = ResponseObject.Outcome.finished(.stop)
    private var reservation: MemoryReservation?
    /// Whether the vendor's own events may be forwarded.
    private let mayBeNative: Bool
    /// Whether the vendor's own events are forwarded. No budget ends them, because the vendor's reasoning is not seen.
    private var isNative = false
    /// The vendor's last event, if the relay's usage belongs at this offset of it; otherwise nil.
    private var last: (event: Body, usageOffset: Int)?
    /// The failure that ends the response, such as a used-up memory budget; nil if nothing has failed.
    private(set) var failure: UpstreamError?

    init(_ formatter: ResponsesFormatter, _ object: ResponseObject, mayBeNative: Bool, exchange: Exchange) {
        self.formatter = formatter
        isSummary = formatter.wantsSummary
        self.mayBeNative = mayBeNative
        self.exchange = exchange
        progress = ResponseProgress(object, isStored: formatter.mayStore(exchange))
        exchange.surface = FailedResponse(progress: progress)
        exchange.keepsBody = progress.isStored
    }

    func write(_ choice: Int, _ event: ChatEvent) {
        guard choice == 0 else { return }
        if case .native(_, let event) = event { return pass(event) }
        if isNative { return }
        switch event {
        case .text(let text, _): add(text, isRefusal: false)
        case .refusal(let text): add(text, isRefusal: true)
        case .reasoning(let text): add(reasoningBlock: text)
        case .toolCall(_, let id, let name): begin(call: name, id)
        case .toolArguments(_, let text): add(arguments: text)
        case .comment(let text):
            if !progress.hasBegun { begin() }
            out.append(comment: text)
        case .finish(let reason, _): finish(reason)
        case .signature(nil, let text): add(signature: text)
        case .encryptedReasoning(let text):
            var sealed = ReasoningBlock.itemContent(text.text)
            sealed.withUTF8 { add(signature: UnsafeRawBufferPointer($0)) }
        case .message(let phase):
            closeMessage()
            message = OutputItem.Message(phase: phase)
        case .annotation(let json): add(annotation: json)
        case .signature, .native: break
        }
    }

    /// Forwards an event of the vendor unchanged.
    private func pass(_ event: UnsafeRawBufferPointer) {
        beginHead()
        isNative = true
        let usageOffset = progress.passed(event)
        makeRoom()
        if let usageOffset { last = (Body(copying: event), usageOffset) } else { out.append(event) }
    }

    // MARK: Items

    private func add(_ piece: UnsafeRawBufferPointer, isRefusal: Bool) {
        guard !piece.isEmpty, takes(piece) else { return }
        if case .message = open, message.isRefusal == isRefusal {} else { begin(messageOf: isRefusal) }
        delta(isRefusal ? "response.refusal.delta" : "response.output_text.delta", piece, hasLogs: !isRefusal)
    }

    private func begin(messageOf isRefusal: Bool) {
        closeMessage()
        message.isRefusal = isRefusal
        beginItem(.message, .message)
        OutputItem.append(message, nil, itemID, "in_progress", to: &out)
        out.append("}\n\n")
        appendPart("response.content_part.added", .empty)
    }

    private func closeMessage() { if case .message = open { closeItem("completed") } }

    private func add(annotation json: UnsafeRawBufferPointer) {
        guard takes(json) else { return }
        if case .message = open, !message.isRefusal {} else { begin(messageOf: false) }
        annotationBytes += json.count
        progress.open("response.output_text.annotation.added", in: &out)
        out.append(itemMembers.bytes)
        out.append(#","annotation_index":"#, decimal: message.annotations.count)
        out.append(#","annotation":"#, json, "}\n\n")
        message.annotations.append(Body(copying: json))
    }

    private func add(reasoningBlock piece: UnsafeRawBufferPointer) {
        guard !piece.isEmpty, takes(piece) else { return }
        if case .reasoning = open {
        } else {
            beginReasoning()
            appendPart(isSummary ? "response.reasoning_summary_part.added" : "response.content_part.added", .empty)
        }
        delta(isSummary ? "response.reasoning_summary_text.delta" : "response.reasoning_text.delta", piece)
    }

    private func beginReasoning() {
        beginItem(.reasoning, .reasoning)
        OutputItem.append(
            reasoning: .empty,
            isSummary: isSummary,
            signature: .empty,
            itemID,
            "in_progress",
            to: &out
        )
        out.append("}\n\n")
    }

    /// Adds a signature to the open or a new reasoning item, and ends the item.
    private func add(signature piece: UnsafeRawBufferPointer) {
        if piece.isEmpty, case .reasoning = open { return closeItem("completed") }
        guard !piece.isEmpty, takes(piece) else { return }
        if let item = ReasoningBlock.item(in: piece) { return add(item: item) }
        if case .reasoning = open {} else { beginReasoning() }
        signature.append(piece)
        closeItem("completed")
    }

    /// Adds an item whose type the relay does not know, as it came.
    private func add(item: UnsafeRawBufferPointer) {
        closeItem("completed")
        if !progress.hasBegun { begin() }
        for type: StaticString in ["response.output_item.added", "response.output_item.done"] {
            progress.append(type, item: item, to: &out)
        }
        progress.add(item)
    }

    private func begin(call offered: UnsafeRawBufferPointer, _ id: UnsafeRawBufferPointer) {
        guard takes(id) else { return }
        let name = formatter.names[offered]
        beginItem(name.itemType, .call(name))
        callID.removeAll()
        callID.append(id)
        OutputItem.append(call: name, callID: id, arguments: .empty, itemID, "in_progress", to: &out)
        out.append("}\n\n")
    }

    private func add(arguments piece: UnsafeRawBufferPointer) {
        guard case .call(let name) = open, !piece.isEmpty, takes(piece) else { return }
        // The input of a custom tool is inside the arguments and is sent when they are complete.
        if name.isCustom { text.append(piece) } else { delta("response.function_call_arguments.delta", piece) }
    }

    /// Returns whether this piece of output fits into the memory budget and the size limit of a response. If it does
    /// not, sets `failure`.
    private func takes(_ piece: UnsafeRawBufferPointer) -> Bool {
        guard failure == nil else { return false }
        let bytes = progress.outputBytes + text.count + signature.count + annotationBytes + piece.count
        if bytes > ChatResponse.limitBytes {
            failure = UpstreamError(.failed, cause: "the vendor's response is too long")
        } else if !covers(bytes) {
            failure = UpstreamError(TransportError(.overloaded))
        }
        return failure == nil
    }

    /// Reserves memory for the output of the response. Returns false if the memory budget is used up.
    /// - Parameter ending: the size of the text of the item that ends now.
    private func covers(_ bytes: Int, ending: Int = 0) -> Bool {
        // The reservation is larger than the output, because the output is copied when an item or the response ends.
        bytes <= MemoryBudget.smallBytes || exchange.gateway.memory.covers(2 * bytes + 3 * ending, &reservation)
    }

    /// Ends the open item and begins the event of a new item. The code that calls this method appends the item.
    private func beginItem(_ type: ItemType, _ kind: OpenItem) {
        closeItem("completed")
        if !progress.hasBegun { begin() }
        open = kind
        itemID = progress.object.itemID(type, progress.items)
        text.removeAll()
        itemMembers.removeAll()
        itemMembers.append(#","item_id":""#)
        itemMembers.append(itemID)
        itemMembers.append(#"","output_index":"#, decimal: progress.items)
        switch kind {
        case .reasoning where isSummary: itemMembers.append(#","summary_index":0"#)
        case .message, .reasoning: itemMembers.append(#","content_index":0"#)
        case .call, .nothing: break
        }
        openItemEvent("response.output_item.added")
    }

    private func openItemEvent(_ type: StaticString) {
        progress.open(type, in: &out)
        out.append(#","output_index":"#, decimal: progress.items, #","item":"#)
    }

    /// Writes an event with the content part of the open message or reasoning.
    private func appendPart(_ type: StaticString, _ text: UnsafeRawBufferPointer) {
        progress.open(type, in: &out)
        out.append(itemMembers.bytes)
        out.append(#","part":"#)
        if case .reasoning = open {
            OutputItem.append(reasoningBlock: text, isSummary: isSummary, to: &out)
        } else {
            OutputItem.append(part: text, of: message, to: &out)
        }
        out.append("}\n\n")
    }

    private func delta(_ type: StaticString, _ piece: UnsafeRawBufferPointer, hasLogs: Bool = false) {
        makeRoom()
        text.append(piece)
        progress.open(type, in: &out)
        out.append(itemMembers.bytes)
        out.append(hasLogs ? #","logprobs":[],"delta":""# : #","delta":""#)
        out.append(jsonContent: piece)
        out.append("\"}\n\n")
    }

    private func closeItem(_ status: StaticString) {
        if case .nothing = open { return }
        guard covers(progress.outputBytes + text.count, ending: text.count) else {
            failure = failure ?? UpstreamError(TransportError(.overloaded))
            return
        }
        var item = ByteBuffer()
        switch open {
        case .nothing: return
        case .message:
            endMessage()
            OutputItem.append(message, text.bytes, itemID, status, to: &item)
            message = OutputItem.Message()
        case .reasoning:
            if !text.isEmpty {
                done(isSummary ? "response.reasoning_summary_text.done" : "response.reasoning_text.done", #","text":"#)
                appendPart(
                    isSummary ? "response.reasoning_summary_part.done" : "response.content_part.done",
                    text.bytes
                )
            }
            OutputItem.append(
                reasoning: text.bytes,
                isSummary: isSummary,
                signature: signature.bytes,
                itemID,
                status,
                to: &item
            )
            signature.removeAll()
        case .call(let name):
            close(call: name)
            OutputItem.append(call: name, callID: callID.bytes, arguments: text.bytes, itemID, status, to: &item)
        }
        open = .nothing
        text.removeAll()
        openItemEvent("response.output_item.done")
        out.append(item.bytes)
        out.append("}\n\n")
        progress.add(item.bytes)
    }

    private func endMessage() {
        if message.isRefusal {
            done("response.refusal.done", #","refusal":"#)
        } else {
            done("response.output_text.done", #","logprobs":[],"text":"#)
        }
        appendPart("response.content_part.done", text.bytes)
    }

    private func close(call name: ToolNames.Name) {
        guard name.isCustom else {
            progress.open("response.function_call_arguments.done", in: &out)
            out.append(itemMembers.bytes)
            out.append(#","name":"#, json: name.name)
            return out.append(#","arguments":"#, json: text.bytes, "}\n\n")
        }
        var arguments = ByteBuffer()
        arguments.append(text.bytes)
        text.removeAll()
        ToolNames.input(of: arguments.bytes) { delta("response.custom_tool_call_input.delta", $0) }
        done("response.custom_tool_call_input.done", #","input":"#)
    }

    private func done(_ type: StaticString, _ name: StaticString) {
        progress.open(type, in: &out)
        out.append(itemMembers.bytes)
        out.append(name)
        out.append(json: text.bytes)
        out.append("}\n\n")
    }

    // MARK: The beginning and the end

    func ping() {
        // The vendor's own first event may follow.
        if !mayBeNative, !progress.hasBegun { return begin() }
        beginHead()
        out.append(": ping\n\n")
    }

    private func begin() {
        beginHead()
        progress.begin(in: &out)
    }

    private func finish(_ reason: FinishReason) {
        guard failure == nil else { return }
        outcome = .finished(reason)
        if case .nothing = open, progress.items == 0 { begin(messageOf: false) }
        closeItem(outcome.itemStatus)
    }

    var isFull: Bool { failure != nil || hasBatch }

    func end(_ usage: Usage) async {
        if isNative {
            if let (event, offset) = last {
                out.append(event.bytes[part: 0..<offset])
                usage.appendResponseJSON(to: &out)
                out.append(event.bytes[part: (offset + 4)..<event.bytes.count])
            }
            flush()
            return exchange.writer.end()
        }
        if progress.isStored {
            flush()
            await formatter.store(progress, outcome, usage, exchange)
        }
        progress.end(outcome, usage, in: &out)
        sendEnd()
    }
}
