import Engine
import Shared

/// A reader for a response of the Responses API, whole or event by event.
final class ResponsesReader: WireReader, OnLoop, @unchecked Sendable {
    /// An output item other than a tool call, such as a message or reasoning.
    private struct Item {
        /// The `output_index` that the vendor gave to the item.
        let number: Int64
        /// The number of bytes of the item's text or summary that were emitted.
        var bytes = 0
        /// The `summary_index` of the reasoning summary's part that arrived last; nil if no part has arrived.
        var part: Int64?
        /// Whether the item is a message that was begun.
        var isMessage = false
        var hasAnnotations = false
        /// The number of characters of the response's text before a message that is joined to others.
        var start = 0
    }

    private let parser: JSONParser
    private let ids: RandomBytes
    /// The maximum number of tool calls that are emitted. Further tool calls are ignored.
    var maxCalls = Int.max
    /// Whether the request uses OpenAI's legacy functions. Their calls have no ids.
    private let isLegacy: Bool
    /// Whether messages and phases are emitted (`ChatCall.keepsMessages`). Else a blank line is between two messages.
    private let keepsMessages: Bool
    /// Whether annotations are emitted (`ChatCall.keepsAnnotations`).
    private let keepsAnnotations: Bool
    /// The number of characters that were emitted of messages that are joined.
    private var characters = 0
    /// Whether items whose type the relay does not know are emitted as they came.
    private let keepsItems: Bool
    /// Whether the client gets the vendor's events and body unchanged. Whatever the relay does not understand then is
    /// no error.
    var isNative = false
    private var passed = ByteBuffer()
    private var items: [Item] = []
    private var numbers = OutputItems()
    private var messages = 0
    /// The `output_index` of the message whose text was emitted last; nil if none was.
    private var speaking: Int64?
    private var calls = ResponseCalls()
    private var order = ToolCallSequencer()
    private var hasWords = false
    private var hasReasoning = false
    /// Whether an item whose type the relay does not know was emitted.
    private var hasItems = false
    /// The halves of surrogate pairs in events that the client gets as they came.
    private var pairs = SurrogatePairJoiner()
    private var finish: FinishReason?
    private var signature = ByteBuffer()
    /// Whether the request asks the vendor to compact the conversation. Other output is then ignored.
    private let isCompacting: Bool
    private var hasCompaction = false
    /// Whether the vendor has ignored the request to compact the conversation.
    private(set) var lacksCompaction = false
    private var reported: Usage?
    /// The uses of hosted tools in the items that have arrived whole.
    private var toolUses = ToolUses()
    private(set) var hasBegun = false

    private static let maxItems = 512

    init(
        _ parser: JSONParser,
        _ ids: RandomBytes,
        isLegacy: Bool,
        isCompacting: Bool = false,
        keepsMessages: Bool = false,
        keepsAnnotations: Bool = false,
        keepsItems: Bool = false
    ) {
        self.keepsItems = keepsItems
        self.isCompacting = isCompacting
        self.keepsMessages = keepsMessages
        self.keepsAnnotations = keepsAnnotations
        self.parser = parser
        self.ids = ids
        self.isLegacy = isLegacy
    }

    var isFinished: Bool { finish != nil }

    /// The reported usage with the uses of hosted tools, also of a response that broke off after them.
    var usage: Usage? {
        guard !toolUses.isEmpty else { return reported }
        var usage = reported ?? .nothing
        usage.toolUses.raise(to: toolUses)
        return usage
    }

    private var errorReader: ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.openAI, namesFields: isNative)
    }

    // MARK: Events

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        if event.data.trimmed.equals("[DONE]") { return finish != nil }
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        let root: JSONValue
        do throws(UpstreamError) {
            root = try parsed(event.data)
        } catch {
            guard let rewritten = pairs.rewritten(event.data) else { throw error }
            root = try parsed(rewritten)
        }
        if root["type"] == nil { try errorReader.check(unknown: root) }
        guard isNative else { return try consume(root, emit) }
        // The end of a failed response is an error, which the client gets in the relay's words.
        let type = root["type"]?.text
        if type == "response.failed" || type == "response.cancelled" { return try consume(root, emit) }
        passed.removeAll()
        event.append(to: &passed)
        emit(0, .native(.responses, passed.bytes))
        do throws(UpstreamError) { return try consume(root, emit) } catch _ { return isFinished }
    }

    /// Consumes a parsed event. Returns whether it is the last one of the response.
    private func consume(_ root: JSONValue, _ emit: Emit) throws(UpstreamError) -> Bool {
        guard finish == nil, let type = root["type"]?.text else { return false }
        guard numbers.count <= Self.maxItems else { throw Self.tooManyItems }
        switch type {
        case "response.output_text.delta": try emitWords(root["delta"]?.text, number(of: root), emit) { .text($0) }
        case "response.refusal.delta": try emitWords(root["delta"]?.text, number(of: root), emit) { .refusal($0) }
        case "response.output_text.annotation.added": try emitAnnotation(root["annotation"], number(of: root), emit)
        case "response.reasoning_text.delta": try emitText(root["delta"], of: root, emit) { .reasoning($0) }
        case "response.reasoning_summary_text.delta": try emitSummary(root, emit)
        case "response.function_call_arguments.delta":
            if let piece = root["delta"]?.text { try emitCalls(calls.consume(piece, of: number(of: root)), emit) }
        case "response.function_call_arguments.done":
            if root["arguments"]?.text?.isEmpty == false { try closeCall(root, number(of: root), emit) }
        case "response.output_item.added": if let item = root["item"] { try open(item, numbers.open(item, root), emit) }
        case "response.output_item.done":
            if let item = root["item"] {
                toolUses.add(item)
                try close(item, numbers.close(item, root), emit)
            }
        case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
            guard let response = root["response"] else { break }
            try end(response, isCut: type == "response.incomplete", emit)
            return true
        default: break
        }
        return false
    }

    private func number(of root: JSONValue) -> Int64 { numbers.number(of: root) }

    private func parsed(_ data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        let root = try parser.response(data)
        if root["type"]?.text == "error" || root.containsError {
            throw errorReader.error(in: root)
        }
        return root
    }

    // MARK: Items

    private func index(of number: Int64) throws(UpstreamError) -> Int {
        if let index = items.lastIndex(where: { $0.number == number }) { return index }
        guard items.count < Self.maxItems else { throw Self.tooManyItems }
        items.append(Item(number: number))
        return items.count - 1
    }

    private static var tooManyItems: UpstreamError { .invalidResponse("the response has too many items") }

    private func emitText(
        _ piece: JSONValue?,
        of root: JSONValue,
        _ emit: Emit,
        event: (UnsafeRawBufferPointer) -> ChatEvent
    ) throws(UpstreamError) {
        guard let text = piece?.text, !text.isEmpty else { return }
        items[try index(of: number(of: root))].bytes += text.count
        try emitEvent(event(text), emit)
    }

    /// Emits a chunk of a message's text or refusal, after the beginning of the message.
    private func emitWords(
        _ text: UnsafeRawBufferPointer?,
        _ number: Int64,
        _ emit: Emit,
        event: (UnsafeRawBufferPointer) -> ChatEvent
    ) throws(UpstreamError) {
        guard let text, !text.isEmpty else { return }
        try begin(message: nil, number, emit)
        let index = try index(of: number)
        if speaking != number {
            if speaking != nil, !keepsMessages {
                try emitEvent(.text(Self.blankLine), emit)
                characters += 2
            }
            speaking = number
            items[index].start = characters
        }
        items[index].bytes += text.count
        if keepsAnnotations, !keepsMessages { characters += text.count { $0 & 0xc0 != 0x80 } }
        try emitEvent(event(text), emit)
    }

    /// Begins a message. Does nothing if the message was already begun.
    private func begin(message item: JSONValue?, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        let index = try index(of: number)
        guard !items[index].isMessage else { return }
        items[index].isMessage = true
        messages += 1
        let phase = item?["phase"]?.text.flatMap { ChatMessage.Phase(word: $0) }
        guard keepsMessages, messages > 1 || phase != nil else { return }
        try order.emitEvent(.message(phase)) { emit(0, $0) }
    }

    private func emitAnnotation(_ annotation: JSONValue?, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        guard keepsAnnotations, let members = annotation?.members else { return }
        let index = try index(of: number)
        items[index].hasAnnotations = true
        var json = ByteBuffer()
        for (name, value) in members {
            json.append(json.isEmpty ? "{" : ",", json: name, ":")
            if items[index].start > 0, name == "start_index" || name == "end_index", let position = value.integer {
                json.append(decimal: Int(position) &+ items[index].start)
            } else {
                value.append(to: &json)
            }
        }
        json.append(json.isEmpty ? "{}" : "}")
        try order.emitEvent(.annotation(json.bytes)) { emit(0, $0) }
    }

    private func emitEvent(_ event: ChatEvent, _ emit: Emit) throws(UpstreamError) {
        if isCompacting, !hasCompaction { return }
        switch event {
        case .text, .refusal: hasWords = true
        default: hasReasoning = true
        }
        hasBegun = true
        try order.emitEvent(event) { emit(0, $0) }
    }

    /// Emits a chunk of a reasoning summary, with a blank line between two parts.
    private func emitSummary(_ root: JSONValue, _ emit: Emit) throws(UpstreamError) {
        let index = try index(of: number(of: root))
        let part = root["summary_index"]?.integer ?? 0
        if let last = items[index].part, last != part { try emitParagraph(emit) }
        items[index].part = part
        try emitText(root["delta"], of: root, emit) { .reasoning($0) }
    }

    private func emitParagraph(_ emit: Emit) throws(UpstreamError) { try emitEvent(.reasoning(Self.blankLine), emit) }

    private static var blankLine: UnsafeRawBufferPointer { UnsafeRawBufferPointer("\n\n") }

    // MARK: Calls

    private func open(_ item: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        if item["type"]?.text == "message" { return try begin(message: item, number, emit) }
        guard item["type"]?.text == "function_call", !calls.has(number), calls.count < maxCalls else { return }
        var id: [UInt8] = []
        if !isLegacy {
            id = item["call_id"]?.text.map { Array($0) } ?? []
            if id.isEmpty { id = Array(ids.id("call_").utf8) }
        }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let pieces = try calls.open(number, id: id, name: item["name"]?.text ?? none, ids: ids)
        hasBegun = true
        try emitCalls(pieces, emit)
    }

    /// Marks a tool call as complete and emits the rest of its arguments.
    /// - Parameters:
    ///   - item: the output item or event with all arguments of the call.
    ///   - number: the `output_index` of the item.
    private func closeCall(_ item: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        let arguments = item["arguments"]
        if arguments?.kind == .object, let body = arguments?.body {
            try emitCalls(calls.close(number, body.bytes), emit)
        } else {
            try emitCalls(calls.close(number, arguments?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)), emit)
        }
    }

    private func emitCalls(_ pieces: [ToolCallChunk], _ emit: Emit) throws(UpstreamError) {
        for piece in pieces {
            if piece.isFirst { order.begin(piece.index, id: piece.id, name: piece.name) { emit(0, $0) } }
            if !piece.arguments.isEmpty { try order.add(piece.arguments, to: piece.index) { emit(0, $0) } }
        }
    }

    // MARK: Items as a whole

    /// Reads a complete output item and emits the content that earlier events did not contain.
    private func close(_ item: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        switch item["type"]?.text {
        case "function_call":
            try open(item, number, emit)
            try closeCall(item, number, emit)
        case "reasoning": try closeReasoning(item, number, emit)
        case "compaction": try closeCompaction(item, emit)
        case "message": try closeMessage(item, number, emit)
        default: try emitItem(item, emit)
        }
    }

    /// Emits an item whose type the relay does not know, as it came.
    private func emitItem(_ item: JSONValue, _ emit: Emit) throws(UpstreamError) {
        guard keepsItems, item.kind == .object else { return }
        hasItems = true
        hasBegun = true
        var marked = ByteBuffer()
        marked.append(ReasoningBlock.markOfItem)
        marked.removeLast(1)
        item.append(to: &marked)
        try order.emitEvent(.encryptedReasoning(marked.bytes)) { emit(0, $0) }
    }

    private func closeMessage(_ item: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        try begin(message: item, number, emit)
        let index = try index(of: number)
        let hasAnnotations = items[index].hasAnnotations
        var emittedBytes = items[index].bytes
        for part in item["content"]?.elements ?? JSONElements() {
            try emitWords(part["text"]?.text?.unlessEmitted(&emittedBytes), number, emit) { .text($0) }
            try emitWords(part["refusal"]?.text?.unlessEmitted(&emittedBytes), number, emit) { .refusal($0) }
            guard keepsAnnotations, !hasAnnotations else { continue }
            for annotation in part["annotations"]?.elements ?? JSONElements() {
                try emitAnnotation(annotation, number, emit)
            }
        }
    }

    private func closeReasoning(_ item: JSONValue, _ number: Int64, _ emit: Emit) throws(UpstreamError) {
        let index = try index(of: number)
        if items[index].bytes == 0 {
            for name: StaticString in ["summary", "content"] where items[index].bytes == 0 {
                for part in item[name]?.elements ?? JSONElements() {
                    guard let text = part["text"]?.text, !text.isEmpty else { continue }
                    if items[index].bytes > 0 { try emitParagraph(emit) }
                    items[index].bytes += text.count
                    try emitEvent(.reasoning(text), emit)
                }
            }
        }
        guard let content = item["encrypted_content"]?.text, !content.isEmpty, let id = item["id"]?.text,
            id.count <= 150
        else { return }
        signature.removeAll()
        SealedReasoning.append(id, content, to: &signature)
        let hasText = items[index].bytes > 0
        try emitEvent(hasText ? .signature(call: nil, signature.bytes) : .encryptedReasoning(signature.bytes), emit)
    }

    /// Emits a compacted conversation, once.
    private func closeCompaction(_ item: JSONValue, _ emit: Emit) throws(UpstreamError) {
        guard !hasCompaction, let content = item["encrypted_content"]?.text, !content.isEmpty else { return }
        hasCompaction = true
        signature.removeAll()
        signature.append(ReasoningBlock.markOfCompaction)
        if let id = item["id"]?.text, id.count <= 150, !id.contains(UInt8(ascii: ".")) { signature.append(id) }
        signature.append(".")
        signature.append(content)
        try emitEvent(.encryptedReasoning(signature.bytes), emit)
    }

    // MARK: The end

    /// - Parameter isCut: whether the vendor says that the output is not whole.
    private func end(_ response: JSONValue, isCut: Bool, _ emit: Emit) throws(UpstreamError) {
        reported = Usage(of: response) ?? reported
        var uses = ToolUses()
        for item in response["output"]?.elements ?? JSONElements() { uses.add(item) }
        toolUses.raise(to: uses)
        let error = response["error"]
        if error?.kind == .object || response["status"]?.text == "failed" {
            throw errorReader.error(in: response)
        }
        if response["status"]?.text == "cancelled" { throw .invalidResponse("the vendor cancelled the response") }
        try closeAll(response["output"], emit)
        if isCompacting, !hasCompaction {
            lacksCompaction = true
            throw .invalidResponse("the response has no compaction")
        }
        var reason: FinishReason = calls.isEmpty ? .stop : .toolCalls
        switch response["incomplete_details"]?["reason"]?.text.map(FinishWord.init) {
        case nil: if isCut { reason = .length }
        case .reason(.contentFilter)?, .reason(.refusal)?: reason = .contentFilter
        default: reason = .length
        }
        finish = reason
        hasBegun = true
        emit(0, .finish(reason, stop: nil))
    }

    /// Emits the output of the complete response that no earlier event contained.
    private func closeAll(_ output: JSONValue?, _ emit: Emit) throws(UpstreamError) {
        let (hadWords, hadReasoning, hadItems) = (hasWords, hasReasoning, hasItems)
        var number: Int64 = 0
        var closed: Set<Int64> = []
        for item in output?.elements ?? JSONElements() {
            switch item["type"]?.text {
            case "message": if !hadWords { try close(item, number, emit) }
            case "reasoning": if !hadReasoning { try close(item, number, emit) }
            case "function_call", "compaction":
                let known = item["call_id"]?.text.flatMap { calls.number(of: $0, except: closed) } ?? number
                closed.insert(known)
                try close(item, known, emit)
            default: if !hadItems { try close(item, number, emit) }
            }
            number += 1
        }
        try emitCalls(calls.end(), emit)
        order.end { emit(0, $0) }
    }

    func end(_ emit: Emit) {}

    // MARK: Whole responses

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        do throws(UpstreamError) {
            try consume(whole: body.bytes, emit)
        } catch {
            // The client gets what the relay does not understand, too.
            guard isNative, hasBegun else { throw error }
        }
        guard hasBegun else { throw .invalidResponse("the vendor's response has no candidate") }
        return isNative ? body : nil
    }

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let root = try parsed(body)
        guard root["output"]?.kind == .array || root["status"]?.text == "failed" else {
            throw errorReader.error(ofUnanswered: root, "the vendor's response has no output")
        }
        let isCut = ["incomplete", "in_progress", "queued"].contains(root["status"]?.text?.text)
        try end(root, isCut: isCut, emit)
    }
}

extension UnsafeRawBufferPointer {
    /// Returns the text of a part if none of it was emitted. Subtracts the bytes of the text from their number.
    fileprivate func unlessEmitted(_ emittedBytes: inout Int) -> UnsafeRawBufferPointer? {
        let start = Swift.min(count, emittedBytes)
        emittedBytes -= start
        return start == 0 ? self : nil
    }
}

extension Usage {
    /// Creates the usage of a complete response; nil if the response contains no token counts.
    fileprivate init?(of response: JSONValue) {
        guard let reported = response["usage"], reported.kind == .object else { return nil }
        self.init(
            promptTokens: reported["input_tokens"]?.reportedTokens,
            completionTokens: reported["output_tokens"]?.reportedTokens,
            totalTokens: reported["total_tokens"]?.tokens
        )
        let details = reported["input_tokens_details"]
        recordPrompt(
            cached: reported.cachedTokens(details),
            written: reported.cacheWriteTokens(details),
            long: reported.longCacheWriteTokens(details)
        )
        let others = reported["output_tokens_details"]
        reasoningTokens = others?["reasoning_tokens"]?.tokens ?? 0
        readAudio(prompt: details, completion: others)
        readCost(reported)
        serviceTier = response["service_tier"]?.text.flatMap { ServiceTier(word: $0) }
    }
}

extension ToolUses {
    /// Adds the use of a hosted tool that an output item reports. The search tool's other actions, such as opening a
    /// page, and uses that failed have no fee.
    fileprivate mutating func add(_ item: JSONValue) {
        guard let tool = item["type"]?.text.flatMap(HostedTool.init(itemType:)),
            !(item["status"]?.text?.equals("failed") ?? false),
            tool != .webSearch || item["action"]?["type"]?.text?.equals("search") ?? true
        else { return }
        self[tool] += 1
    }
}
