import Engine
import Glibc
import Shared

/// A reader for responses of the chat completions API, whole or chunk by chunk.
final class ChatCompletionReader: WireReader, OnLoop, @unchecked Sendable {
    let responseOptions: ResponseOptions
    let parser: JSONParser
    private let ids: RandomBytes
    private var choices: [ChoiceReader]
    private var counts = UsageCounts()
    /// Whether the chunk or response that was read last has a complete usage where OpenAI writes it: in the member
    /// `usage`.
    private var hasUsageInPlace = false
    /// The vendor's `usage` JSON, for the client; empty if it is missing or incomplete.
    private var reportedUsage = ByteBuffer()
    /// The JSON of additional members in the vendor's chunk with the usage, which are forwarded with the usage. Empty
    /// if this chunk has a choice.
    private var membersBesideUsage = ByteBuffer()
    /// The JSON with which all forwarded chunks begin: members such as `id` and `model`.
    private var opening = ByteBuffer()
    private var chunk = ByteBuffer()
    private var plain = TextChunkMatcher()
    /// The index of a second choice that contains the tool calls of the only requested choice; nil if there is none.
    private var joined: Int64?
    private var images = MarkdownImages()
    /// Whether images become a part of the text. With an original, the client gets them as they came.
    private var writesImages: Bool
    /// Whether the choices of a stream contain their output in `message` in place of `delta`.
    private var hasMessages = false
    /// Whether at least one choice has arrived.
    private(set) var hasBegun = false
    /// Whether the response ended without output and with an unknown finish reason.
    private var endedWithoutOutput = false
    /// Whether a response that is not streamed has fewer choices than were requested.
    private(set) var lacksChoices = false
    /// The error that the last event may be: it has no choice, but words of a failure. It is an error if the stream ends
    /// after it without a finish reason; nil for other events.
    private var possibleError: Indirect<UpstreamError>?
    /// Whether `reasoning_details` are kept in `details`.
    var keepsDetails = false
    /// The `reasoning_details` of the first choice so far.
    private(set) var details = ReasoningDetails()

    init(_ responseOptions: ResponseOptions, _ parser: JSONParser, ids: RandomBytes) {
        self.responseOptions = responseOptions
        self.parser = parser
        self.ids = ids
        writesImages = !responseOptions.isNative
        let isNative = responseOptions.isNative
        let choice = ChoiceReader(maxCalls: responseOptions.maxCalls, isNative: isNative, ids: ids)
        choices = Array(repeating: choice, count: responseOptions.choices)
    }

    var usage: Usage? { counts.usage }

    /// Whether all requested choices have ended. After them, only the usage can follow.
    var isFinished: Bool { !endedWithoutOutput && choices.allSatisfy(\.isFinished) }

    /// Whether every choice that has begun has also ended; false before the first choice.
    var isWhole: Bool { hasBegun && !endedWithoutOutput && choices.allSatisfy { !$0.isReported || $0.isWhole } }

    private var errorReader: ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.openAI, namesFields: responseOptions.isNative)
    }

    // MARK: Chunks

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        if event.name.isEmpty, consumePlain(event.data, emit) { return false }
        if event.data.trimmed.equals("[DONE]") { return true }
        if event.name.equals("error") { throw errorReader.error(ofEvent: event.data) }
        let data = event.data
        let root = try parsed(data)
        try recordUsage(root, data)
        if !hasBegun { hasMessages = root["choices"]?.elements?.first { _ in true }?.isOfMessage ?? false }
        let message: StaticString = hasMessages ? "message" : "delta"
        let (pieces, isOdd) = try self.pieces(of: root, data, message: message, isWhole: false)
        if !pieces.isEmpty {
            if possibleError != nil { possibleError = nil }
        } else if root["choices"] == nil {
            try readUnknown(root, data)
        }
        if responseOptions.isNative { passOn(data, pieces, isOdd: isOdd, message: message, emit) }
        if responseOptions.keepsAnnotations { emitCitations(in: root, message, emit) }
        for piece in pieces where !piece.isDropped { try emitChunk(piece, emit) }
        if pieces.count == 1, !isOdd, event.name.isEmpty, !pieces[0].isDropped, choices[pieces[0].index].order.isWhole {
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            plain.learn(data, pieces[0], passed: responseOptions.isNative ? chunk.bytes : none)
        }
        return false
    }

    /// Reads an event without choices. Throws the error that it is; keeps the error that it may be.
    @inline(never)  // Rarely called.
    private func readUnknown(_ root: JSONValue, _ data: UnsafeRawBufferPointer) throws(UpstreamError) {
        try errorReader.check(unknown: root)
        guard hasBegun, root["usage"] == nil, VendorError(root, status: 0).isFailure,
            root.has("detail") || PhraseMatcher(data.text).containsAny(of: ["error", "fail", "exception"])
        else { return }
        possibleError = Indirect(errorReader.error(in: root))
        // The next chunk must be parsed: it shows that the event was no error.
        plain.forget()
    }

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool {
        guard choices[plain.choice].finish == nil, let text = plain.text(from: &events) else { return false }
        emitText(text, isPlain: true, writtenAs: text, emit)
        return true
    }

    /// Emits a chunk's text without parsing JSON, if only the text differs from an earlier chunk. Emits nothing and
    /// returns false if the chunk must be parsed.
    private func consumePlain(_ data: UnsafeRawBufferPointer, _ emit: Emit) -> Bool {
        guard let written = plain.written(in: data), choices[plain.choice].finish == nil, let text = plain.text(written)
        else { return false }
        emitText(text, isPlain: false, writtenAs: written, emit)
        return true
    }

    private func emitText(
        _ text: UnsafeRawBufferPointer,
        isPlain: Bool,
        writtenAs written: UnsafeRawBufferPointer,
        _ emit: Emit
    ) {
        if responseOptions.isNative { emit(0, .native(.chat, plain.passed(written))) }
        emit(plain.choice, .text(text, isPlain: isPlain))
    }

    private func parsed(_ data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        var root = try parser.value(ofResponse: data)
        if root.kind == .array, let first = root.elements?.first(where: { _ in true }) { root = first }
        try root.checkResponse()
        if root.containsError || root["object"]?.text == "error" {
            throw errorReader.error(in: root)
        }
        return root
    }

    /// Reads the choices of a chunk or of a whole response.
    /// - Returns: the content of each choice, and whether the choices differ from OpenAI's format.
    private func pieces(
        of root: JSONValue,
        _ data: UnsafeRawBufferPointer,
        message: StaticString,
        isWhole: Bool
    ) throws(UpstreamError) -> ([ChoiceChunk], isOdd: Bool) {
        var pieces: [ChoiceChunk] = []
        var isOdd = false
        var unknown: UnsafeRawBufferPointer?
        for choice in root["choices"]?.elements ?? JSONElements() {
            let number = choice["index"]?.integer
            var index = number ?? Int64(isWhole ? pieces.count : 0)
            let isKnown = isWhole && pieces.contains { $0.index == index }
            if index > 0 || isKnown, choices.count == 1, isRest(choice, index, message) {
                index = 0
            } else if isKnown {
                index = -1
            }
            var piece: ChoiceChunk
            if index >= 0, index < choices.count {
                let choiceIndex = Int(index)
                let raw = { RawJSON(response: data)["choices"]?.elements.dropFirst(pieces.count).first { _ in true } }
                piece = try choices[choiceIndex].consume(
                    choice,
                    index: choiceIndex,
                    message: message,
                    isWhole: isWhole,
                    raw: raw()
                )
                if number != index || hasMessages { piece.isOdd = true }
                if isWhole, let first = pieces.firstIndex(where: { $0.index == choiceIndex }) {
                    pieces[first].join(piece)
                    piece.isDropped = true
                }
            } else {
                piece = ChoiceChunk(index: -1)
                piece.isDropped = true
            }
            if !piece.isDropped { hasBegun = true }
            isOdd = isOdd || piece.isOdd || piece.isDropped
            if let word = piece.unknownFinish { unknown = word }
            pieces.append(consume piece)
        }
        for index in pieces.indices where isWhole && !pieces[index].isDropped {
            try choices[pieces[index].index].end(&pieces[index])
            isOdd = isOdd || pieces[index].isOdd
        }
        if let unknown { try recordUnknownFinish(unknown) }
        if keepsDetails, let choice = root["choices"]?.elements?.first(where: { _ in true }),
            choice[message]?["reasoning_details"]?.kind == .array,
            let list = RawJSON(response: data)["choices"]?.elements.first(where: { _ in true })?[message]
        {
            list["reasoning_details"].map { details.add($0) }
        }
        if pieces.isEmpty, (root["base_resp"]?["status_code"]?.integer ?? 0) != 0 {
            throw errorReader.error(in: root)
        }
        return (pieces, isOdd)
    }

    /// Returns whether a choice that was not requested contains the tool calls of the only requested choice, or its end.
    private func isRest(_ choice: JSONValue, _ index: Int64, _ message: StaticString) -> Bool {
        if choice[message]?["tool_calls"]?.count ?? 0 > 0 { joined = index }
        return joined == index
    }

    /// Logs an unknown finish reason. Throws if the response contains no output at all.
    private func recordUnknownFinish(_ unknownFinish: UnsafeRawBufferPointer) throws(UpstreamError) {
        if let vendor = responseOptions.vendor { vendor.quirks.record(unknownFinish: unknownFinish, of: vendor.name) }
        guard choices.contains(where: \.isFilled) else {
            endedWithoutOutput = true
            throw .ended(with: unknownFinish)
        }
    }

    private func emitCitations(in root: JSONValue, _ message: StaticString, _ emit: Emit) {
        for (place, choice) in (root["choices"]?.elements ?? JSONElements()).enumerated() {
            let index = choices.count == 1 ? 0 : choice["index"]?.integer.map { Int(clamping: $0) } ?? place
            if choices.indices.contains(index) { choice.forEachCitation(in: message) { emit(index, .annotation($0)) } }
        }
    }

    private func emitChunk(_ piece: ChoiceChunk, _ emit: Emit) throws(UpstreamError) {
        let number = piece.index
        if let reasoningBlock = piece.reasoning {
            try choices[number].order.emitEvent(.reasoning(reasoningBlock)) { emit(number, $0) }
        }
        if let text = piece.text { try choices[number].order.emitEvent(.text(text)) { emit(number, $0) } }
        for url in piece.images where writesImages {
            let opening = images.opening()
            for part in [opening.bytes, url, MarkdownImages.closing] where !part.isEmpty {
                try choices[number].order.emitEvent(.text(part)) { emit(number, $0) }
            }
        }
        if let refusal = piece.refusal { try choices[number].order.emitEvent(.refusal(refusal)) { emit(number, $0) } }
        // A text after a tool call may have to wait for the rest of the call, so it is not passed on directly.
        if !piece.calls.isEmpty || piece.function != nil { plain.forget() }
        for call in piece.calls {
            if call.isFirst {
                choices[number].order.begin(call.index, id: call.id, name: call.name) { emit(number, $0) }
            }
            if !call.arguments.isEmpty {
                try choices[number].order.add(call.arguments, to: call.index) { emit(number, $0) }
            }
            if let signature = call.signature, !signature.isEmpty {
                try choices[number].order.emitEvent(.signature(call: call.index, signature)) { emit(number, $0) }
            }
        }
        if let function = piece.function {
            if let name = function.name {
                let id = responseOptions.isLegacy ? "" : ids.id("call_")
                choices[number].order.begin(0, id: Array(id.utf8), name: Array(name)) { emit(number, $0) }
            }
            if let arguments = function.arguments, !arguments.isEmpty {
                try choices[number].order.add(Array(arguments), to: 0) { emit(number, $0) }
            }
        }
        if let finish = piece.finish {
            choices[number].order.end { emit(number, $0) }
            let stop = finish == .stop ? choices[number].stop : nil
            if let stop, responseOptions.stops.contains(where: { $0.hasSameBytes(as: stop) }) {
                stop.withBytes { emit(number, .finish(finish, stop: $0)) }
            } else {
                emit(number, .finish(finish, stop: nil))
            }
        }
        withExtendedLifetime((piece.joinedText, piece.joinedReasoning)) {}
    }

    /// Ends the stream: ends the choices that have not ended, and emits the usage if the client requested it.
    func end(_ emit: Emit) throws(UpstreamError) {
        if let possibleError, choices.contains(where: { $0.isReported && !$0.isWhole }) { throw possibleError.value }
        for index in choices.indices where choices[index].isReported && choices[index].finish == nil {
            var piece = ChoiceChunk(index: index)
            try choices[index].end(&piece)
            if responseOptions.isNative {
                var ends = [piece]
                passOnMadeArguments(of: &ends, emit)
                passOn(made: ends[0], emit)
            }
            try emitChunk(piece, emit)
        }
        // This response lacks choices all the same; the quirk helps later calls.
        if let caller = responseOptions.learnsChoicesFor, let vendor = responseOptions.vendor,
            choices.contains(where: { !$0.isReported })
        {
            vendor.quirks.learn([QuirkFinding(.noChoices)], for: caller)
        }
        guard responseOptions.isNative, responseOptions.includesUsage, !reportedUsage.isEmpty, isUsageReported else {
            return
        }
        chunk.removeAll()
        chunk.append(opening.bytes)
        chunk.append(membersBesideUsage.bytes)
        chunk.append(#","choices":[],"usage":"#, reportedUsage.bytes, "}")
        emit(-1, .native(.chat, chunk.bytes))
    }

    // MARK: As it came

    /// Forwards a vendor's chunk in OpenAI's format. Skips a chunk that has no choice or nothing new for the client.
    private func passOn(
        _ data: UnsafeRawBufferPointer,
        _ pieces: [ChoiceChunk],
        isOdd: Bool,
        message: StaticString,
        _ emit: Emit
    ) {
        // Some servers send chunks without choices, first or with the usage.
        guard pieces.contains(where: { !$0.isDropped }) else { return }
        let root = RawJSON(response: data)
        if pieces.allSatisfy(\.isEmpty), root.isEmptyChunk(pieces) { return }
        if opening.isEmpty { appendNames(of: root, "chat.completion.chunk", to: &opening) }
        var pieces = pieces
        if isOdd { passOnMadeArguments(of: &pieces, emit) }
        chunk.removeAll()
        chunk.append(opening.bytes)
        appendRemainder(of: root, isWhole: false, to: &chunk) { [pieces] choices, out in
            if isOdd {
                NativeChoices(pieces, message: message, isWhole: false).append(choices, to: &out)
            } else {
                out.append(choices.bytes)
            }
        }
        chunk.putOnOneLine()
        passOnChunk(emit)
    }

    /// Forwards tool call arguments that the relay added, such as a missing `{}`, in a chunk of their own. This chunk
    /// precedes the one with the finish reason. Added arguments are not moved if the vendor's last chunk contains the
    /// same tool call.
    private func passOnMadeArguments(of pieces: inout [ChoiceChunk], _ emit: Emit) {
        for index in pieces.indices where pieces[index].finish != nil {
            let calls = pieces[index].calls
            let reported = calls.filter { $0.elementIndex != nil }.map(\.index)
            let isEarly = { (call: ToolCallChunk) in call.elementIndex == nil && !reported.contains(call.index) }
            guard calls.contains(where: isEarly) else { continue }
            var made = ChoiceChunk(index: pieces[index].index)
            made.calls = calls.filter(isEarly)
            pieces[index].calls.removeAll(where: isEarly)
            passOn(made: made, emit)
        }
    }

    private func passOn(made piece: ChoiceChunk, _ emit: Emit) {
        let nothing = ByteBuffer("[{}]")
        chunk.removeAll()
        chunk.append(opening.bytes)
        chunk.append(#","choices":"#)
        NativeChoices([piece], message: "delta", isWhole: false).append(RawJSON(nothing.bytes), to: &chunk)
        passOnChunk(emit)
    }

    private func passOnChunk(_ emit: Emit) {
        if responseOptions.includesUsage { chunk.append(#","usage":null"#) }
        chunk.append("}")
        emit(0, .native(.chat, chunk.bytes))
    }

    /// Appends the members that identify the response: `id`, `object`, `created` and `model`.
    private func appendNames(of root: RawJSON, _ object: StaticString, to out: inout ByteBuffer) {
        out.append(#"{"id":""#)
        if let id = root["id"]?.content, id.hasPrefix("chatcmpl-"), id.count <= 200 {
            out.append(id)
        } else {
            ids.appendID("chatcmpl-", into: &out)
        }
        out.append(#"","object":""#, object, #"","created":"#)
        if let created = root["created"]?.bytes, created.count <= 15, created.allSatisfy({ 48...57 ~= $0 }),
            created.first != 48
        {
            out.append(created)
        } else {
            out.append(decimal: time(nil))
        }
        out.append(#","model":"#, json: responseOptions.model)
    }

    private func appendRemainder(
        of root: RawJSON,
        isWhole: Bool,
        to out: inout ByteBuffer,
        _ appendChoices: (RawJSON, inout ByteBuffer) -> Void
    ) {
        for member in root.members {
            switch member.name {
            case "id", "object", "created", "model": continue
            // An incomplete usage is written at the end.
            case "usage" where !isWhole || !hasUsageInPlace: continue
            case "choices":
                out.append(#","choices":"#)
                appendChoices(member.value, &out)
            default: out.append(next: member)
            }
        }
    }

    // MARK: Whole responses

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        let root = try parsed(body.bytes)
        try recordUsage(root, body.bytes)
        let (pieces, isOdd) = try self.pieces(of: root, body.bytes, message: "message", isWhole: true)
        do throws(UpstreamError) {
            try checkChoices(of: root)
        } catch {
            var error = error
            if lacksChoices {
                let log = EventLog()
                // The client gets these choices without the original.
                writesImages = true
                try emitWhole(pieces, root, log.append)
                error.partial = LoggedStream(log, usage: nil)
            }
            throw error
        }
        try emitWhole(pieces, root, emit)
        return responseOptions.isNative ? original(body.bytes, pieces, isOdd: isOdd) : nil
    }

    private func emitWhole(_ pieces: [ChoiceChunk], _ root: JSONValue, _ emit: Emit) throws(UpstreamError) {
        if responseOptions.keepsAnnotations { emitCitations(in: root, "message", emit) }
        for var piece in pieces where !piece.isDropped {
            if let function = piece.function, function.arguments == nil {
                piece.function = (function.name, UnsafeRawBufferPointer("{}"))
            }
            try emitChunk(piece, emit)
        }
    }

    /// Checks the number of choices in a response that is not streamed.
    /// - Throws: an error if the response has no choice. If `learnsChoicesFor` is set, also if a requested choice is
    ///   missing.
    private func checkChoices(of root: JSONValue) throws(UpstreamError) {
        guard hasBegun else {
            throw errorReader.error(ofUnanswered: root, "the vendor's response has no choice")
        }
        guard responseOptions.learnsChoicesFor != nil, choices.contains(where: { !$0.isReported }) else { return }
        lacksChoices = true
        var error = UpstreamError.invalidResponse("the vendor's response has too few choices")
        error.usage = usage
        throw error
    }

    private func original(_ data: UnsafeRawBufferPointer, _ pieces: [ChoiceChunk], isOdd: Bool) -> Body {
        let root = RawJSON(response: data)
        var out = ByteBuffer()
        _ = out.reserve(data.count + 256)
        appendNames(of: root, "chat.completion", to: &out)
        appendRemainder(of: root, isWhole: true, to: &out) { choices, out in
            if isOdd || NativeChoices.isBare(pieces, choices) {
                NativeChoices(pieces, message: "message", isWhole: true).append(choices, to: &out)
            } else {
                out.append(choices.bytes)
            }
        }
        if let usage, !hasUsageInPlace {
            out.append(#","usage":"#)
            usage.appendJSON(to: &out)
        }
        out.append("}")
        return Body(out)
    }

    /// Emits the content of a complete response that the vendor sent in place of a stream.
    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let root = try parsed(body)
        try recordUsage(root, body)
        let (pieces, _) = try self.pieces(of: root, body, message: "message", isWhole: true)
        try checkChoices(of: root)
        if responseOptions.isNative { passOn(body, pieces, isOdd: true, message: "message", emit) }
        try emitWhole(pieces, root, emit)
    }

    // MARK: Usage

    /// Records the usage in a chunk or response.
    private func recordUsage(_ root: JSONValue, _ data: UnsafeRawBufferPointer) throws(UpstreamError) {
        let own = root["usage"]
        hasUsageInPlace = false
        let found = if let own { own } else { try elsewhere(root) }
        guard let reported = found, reported.kind == .object else { return }
        counts.read(tier: root["service_tier"])
        // Some vendors report the usage in every chunk, or one field at a time.
        let isLargest = counts.read(reported)
        let isComplete = isLargest && reported.isWholeUsage
        hasUsageInPlace = own != nil && isComplete
        guard responseOptions.isNative, responseOptions.includesUsage, isComplete || !reportedUsage.isEmpty else {
            return
        }
        // If the usage is incomplete or less than before, no copy is kept, and the relay writes it from the counts.
        reportedUsage.removeAll()
        let raw = RawJSON(data)
        guard isComplete, let written = Self.usage(in: raw) else { return }
        reportedUsage.append(written.bytes)
        reportedUsage.putOnOneLine()
        membersBesideUsage.removeAll()
        guard !(raw["choices"]?.elements.contains { _ in true } ?? false) else { return }
        for member in raw.members {
            switch member.name {
            case "id", "object", "created", "model", "choices", "usage": continue
            default: membersBesideUsage.append(next: member)
            }
        }
        membersBesideUsage.putOnOneLine()
    }

    /// Whether the vendor reported plausible numbers of prompt and completion tokens.
    private var isUsageReported: Bool {
        guard let usage = responseOptions.bounds.checked(counts.usage), usage.promptTokens > 0 else { return false }
        return usage.completionTokens > 0 || !usage.hasImpossibleFigure && !choices.contains(where: \.isFilled)
    }

    /// Returns a usage that is not in the member `usage`, but in `x_groq` (Groq) or in the first choice (Moonshot).
    /// Returns nil if there is none. Throws an error that Groq reports at the same place.
    private func elsewhere(_ root: JSONValue) throws(UpstreamError) -> JSONValue? {
        let groq = root["x_groq"]
        if let groq, groq.containsError {
            throw errorReader.error(in: groq)
        }
        return groq?["usage"] ?? root["choices"]?.elements?.first { _ in true }?["usage"]
    }

    private static func usage(in root: RawJSON) -> RawJSON? {
        root["usage"].flatMap { $0.isObject ? $0 : nil } ?? root["x_groq"]?["usage"]
    }
}

extension JSONValue {
    /// Whether a choice in a stream has the member of a whole response.
    fileprivate var isOfMessage: Bool { self["delta"] == nil && self["message"]?.kind == .object }
}

extension RawJSON {
    /// Reads the JSON object of a response. If the response is an array, this is the array's first element.
    fileprivate init(response data: UnsafeRawBufferPointer) {
        self.init(data)
        if isArray, let first = elements.first(where: { _ in true }) { self = first }
    }
}
