import Calls
import Engine
import Shared

/// Reads a response of the Responses API, whole or event by event.
///
/// `@unchecked`: used on its loop only.
final class ResponsesReader: WireReader, @unchecked Sendable {
    /// An output item that is no tool call and of which something was emitted.
    private struct Item {
        /// The vendor's number of the item.
        let number: Int64
        /// The bytes of the item's text or summary that were emitted.
        var bytes = 0
        /// The number of the summary part that arrived last; nil if none did.
        var part: Int64?
    }

    private let parser: JSONParser
    private let ids: RandomBytes
    /// The number of tool calls after which further ones are left out.
    var mostCalls = Int.max
    /// Whether the request uses OpenAI's legacy functions, whose calls have no ids.
    private let isLegacy: Bool
    private var items: [Item] = []
    private var calls = ResponseCalls()
    private var order = CallOrder()
    private var hasWords = false
    private var hasThoughts = false
    private var pairs = SplitPairs()
    private var finish: FinishReason?
    private var signature = ByteBuffer()
    private(set) var usage: Usage?
    private(set) var hasBegun = false

    private static let mostItems = 512

    init(_ parser: JSONParser, _ ids: RandomBytes, isLegacy: Bool) {
        self.parser = parser
        self.ids = ids
        self.isLegacy = isLegacy
    }

    var isFinished: Bool { finish != nil }
    var isWhole: Bool { finish != nil }

    // MARK: Events

    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool {
        if data.trimmed.equals("[DONE]") { return finish != nil }
        if name.equals("error") { throw FaultReader(parser, Fault.openAI, tellsFields: false).error(ofEvent: data) }
        let root: JSONValue
        do throws(UpstreamError) {
            root = try parsed(data)
        } catch {
            guard let mended = pairs.mended(data) else { throw error }
            root = try parsed(mended)
        }
        guard finish == nil, let type = root["type"]?.text else { return false }
        switch type {
        case "response.output_text.delta": try tell(root["delta"], of: root, take) { .text($0) }
        case "response.refusal.delta": try tell(root["delta"], of: root, take) { .refusal($0) }
        case "response.reasoning_text.delta": try tell(root["delta"], of: root, take) { .reasoning($0) }
        case "response.reasoning_summary_text.delta": try tell(summary: root, take)
        case "response.function_call_arguments.delta":
            if let piece = root["delta"]?.text { try tell(calls.take(piece, of: number(of: root)), take) }
        case "response.function_call_arguments.done":
            if root["arguments"]?.text?.isEmpty == false { try closeCall(root, number(of: root), take) }
        case "response.output_item.added": if let item = root["item"] { try open(item, number(of: root), take) }
        case "response.output_item.done": if let item = root["item"] { try close(item, number(of: root), take) }
        case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
            guard let response = root["response"] else { break }
            try end(response, take)
            return true
        default: break
        }
        return false
    }

    private func number(of root: JSONValue) -> Int64 { root["output_index"]?.integer ?? 0 }

    private func parsed(_ data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        let root = try parser.answer(data)
        if root["type"]?.text == "error" || root.tellsError { throw FaultReader.error(in: root, Fault.openAI) }
        return root
    }

    // MARK: Items

    private func place(of number: Int64) throws(UpstreamError) -> Int {
        if let place = items.lastIndex(where: { $0.number == number }) { return place }
        guard items.count < Self.mostItems else { throw .brokenAnswer("the response has too many items") }
        items.append(Item(number: number))
        return items.count - 1
    }

    private func tell(
        _ piece: JSONValue?,
        of root: JSONValue,
        _ take: Take,
        _ event: (UnsafeRawBufferPointer) -> AnswerEvent
    ) throws(UpstreamError) {
        guard let text = piece?.text, !text.isEmpty else { return }
        items[try place(of: number(of: root))].bytes += text.count
        try tell(event(text), take)
    }

    private func tell(_ event: AnswerEvent, _ take: Take) throws(UpstreamError) {
        switch event {
        case .text, .refusal: hasWords = true
        default: hasThoughts = true
        }
        hasBegun = true
        try order.tell(event) { take(0, $0) }
    }

    /// Emits a chunk of a reasoning summary, with a blank line between its parts.
    private func tell(summary root: JSONValue, _ take: Take) throws(UpstreamError) {
        let place = try place(of: number(of: root))
        let part = root["summary_index"]?.integer ?? 0
        if let last = items[place].part, last != part { try tellParagraph(take) }
        items[place].part = part
        try tell(root["delta"], of: root, take) { .reasoning($0) }
    }

    private func tellParagraph(_ take: Take) throws(UpstreamError) {
        let end: StaticString = "\n\n"
        try tell(.reasoning(UnsafeRawBufferPointer(start: end.utf8Start, count: 2)), take)
    }

    // MARK: Calls

    private func open(_ item: JSONValue, _ number: Int64, _ take: Take) throws(UpstreamError) {
        guard item["type"]?.text == "function_call", !calls.has(number), calls.count < mostCalls else { return }
        var id: [UInt8] = []
        if !isLegacy {
            id = item["call_id"]?.text.map { Array($0) } ?? []
            if id.isEmpty { id = Array(ids.id("call_").utf8) }
        }
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let pieces = try calls.open(number, id: id, name: item["name"]?.text ?? none)
        hasBegun = true
        try tell(pieces, take)
    }

    /// Closes a tool call.
    ///
    /// - Parameter item: the item or event with all arguments of the call.
    private func closeCall(_ item: JSONValue, _ number: Int64, _ take: Take) throws(UpstreamError) {
        let arguments = item["arguments"]
        if arguments?.kind == .object, let body = arguments?.body {
            try tell(calls.close(number, body.bytes), take)
        } else {
            try tell(calls.close(number, arguments?.text ?? UnsafeRawBufferPointer(start: nil, count: 0)), take)
        }
    }

    private func tell(_ pieces: [CallPiece], _ take: Take) throws(UpstreamError) {
        for piece in pieces {
            if piece.isFirst { order.begin(piece.index, id: piece.id, name: piece.name) { take(0, $0) } }
            if !piece.arguments.isEmpty { try order.add(piece.arguments, to: piece.index) { take(0, $0) } }
        }
    }

    // MARK: Items as a whole

    /// Reads a complete item and emits what its events did not contain.
    private func close(_ item: JSONValue, _ number: Int64, _ take: Take) throws(UpstreamError) {
        switch item["type"]?.text {
        case "function_call":
            try open(item, number, take)
            try closeCall(item, number, take)
        case "reasoning": try closeThought(item, number, take)
        case "message":
            guard items[try place(of: number)].bytes == 0 else { break }
            for part in item["content"]?.elements ?? JSONElements() {
                if let text = part["text"]?.text, !text.isEmpty {
                    try tell(.text(text), take)
                } else if let text = part["refusal"]?.text, !text.isEmpty {
                    try tell(.refusal(text), take)
                }
                items[try place(of: number)].bytes += 1
            }
        default: break
        }
    }

    private func closeThought(_ item: JSONValue, _ number: Int64, _ take: Take) throws(UpstreamError) {
        let place = try place(of: number)
        if items[place].bytes == 0 {
            for name: StaticString in ["summary", "content"] where items[place].bytes == 0 {
                for part in item[name]?.elements ?? JSONElements() {
                    guard let text = part["text"]?.text, !text.isEmpty else { continue }
                    if items[place].bytes > 0 { try tellParagraph(take) }
                    items[place].bytes += text.count
                    try tell(.reasoning(text), take)
                }
            }
        }
        guard let content = item["encrypted_content"]?.text, !content.isEmpty, let id = item["id"]?.text,
            id.count <= 150
        else { return }
        signature.removeAll()
        SealedReasoning.append(id, content, to: &signature)
        let hasText = items[place].bytes > 0
        try tell(hasText ? .signature(call: nil, signature.bytes) : .sealedThought(signature.bytes), take)
    }

    // MARK: The end

    private func end(_ response: JSONValue, _ take: Take) throws(UpstreamError) {
        if let told = response["usage"] { usage = Usage(ofResponse: told) ?? usage }
        let error = response["error"]
        if error?.kind == .object || response["status"]?.text == "failed" {
            throw FaultReader.error(in: response, Fault.openAI)
        }
        if response["status"]?.text == "cancelled" { throw .brokenAnswer("the vendor cancelled the response") }
        try closeAll(response["output"], take)
        var reason: FinishReason = calls.isEmpty ? .stop : .toolCalls
        switch response["incomplete_details"]?["reason"]?.text {
        case nil: break
        case "content_filter"?: reason = .contentFilter
        default: reason = .length
        }
        finish = reason
        hasBegun = true
        take(0, .finish(reason, stop: nil))
    }

    /// Emits all output that no event contained. Items are not matched by number only, as some servers number them
    /// differently in the events.
    private func closeAll(_ output: JSONValue?, _ take: Take) throws(UpstreamError) {
        let (hadWords, hadThoughts) = (hasWords, hasThoughts)
        var number: Int64 = 0
        for item in output?.elements ?? JSONElements() {
            switch item["type"]?.text {
            case "message": if !hadWords { try close(item, number, take) }
            case "reasoning": if !hadThoughts { try close(item, number, take) }
            default:
                let known = item["call_id"]?.text.flatMap { calls.number(of: $0) }
                try close(item, known ?? number, take)
            }
            number += 1
        }
        try tell(calls.end(), take)
        order.end { take(0, $0) }
    }

    func end(_ take: Take) {}

    // MARK: Whole answers

    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError) {
        let root = try parsed(body)
        guard root["output"]?.kind == .array || root["status"]?.text == "failed" else {
            throw .brokenAnswer("the vendor's response has no output")
        }
        try end(root, take)
    }

    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer {
        var gathered = GatheredAnswer()
        try take(whole: body.bytes) { (_, event) in gathered.take(event) }
        return ChatAnswer([gathered.finished()], usage: usage)
    }
}

extension Usage {
    /// Creates the usage from a response; nil if the token counts are missing.
    fileprivate init?(ofResponse told: JSONValue) {
        guard let prompt = told["input_tokens"]?.reportedTokens, let completion = told["output_tokens"]?.reportedTokens
        else {
            return nil
        }
        self.init(promptTokens: prompt, completionTokens: completion)
        let details = told["input_tokens_details"]
        tellPrompt(
            cached: details?["cached_tokens"]?.tokens ?? 0,
            written: details?["cache_write_tokens"]?.tokens ?? 0
        )
        reasoningTokens = told["output_tokens_details"]?["reasoning_tokens"]?.tokens ?? 0
    }
}
