import Engine
import Shared

/// One chat call in the format of the Responses API.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class ResponsesForm: WireForm, @unchecked Sendable {
    private let endpoint: Endpoint
    private let model: String
    private let isOpenAI: Bool
    private let isLegacy: Bool
    private let maxCalls: Int
    private let isCompacting: Bool
    private let mustSearch: Bool
    /// The reader of the last response; nil before the first response.
    private var reader: ResponsesReader?
    private let keepsMessages: Bool
    private let keepsAnnotations: Bool
    private let check: RequestCheck
    private let names: ShortToolNames
    /// Whether output items whose type the relay does not know go to the client.
    private let keepsItems: Bool
    /// Whether the vendor gets the client's body, and the client the vendor's responses.
    private let isNative: Bool

    /// Prepares one call to a vendor.
    init(_ vendor: OpenAILike, _ call: borrowing ChatCall, model: Model, _ check: RequestCheck) {
        endpoint = vendor.responses
        isOpenAI = vendor.isOpenAI
        self.check = check
        self.model = model.id
        names = ShortToolNames(call)
        isLegacy = call.needs.contains(.functions)
        isCompacting = call.needs.contains(.compaction)
        mustSearch = call.needs.contains(.searchOptions)
        isNative = call.original != nil
        maxCalls = isCompacting ? 0 : isNative ? .max : call.maxCalls
        keepsMessages = call.keepsMessages && !isCompacting
        keepsAnnotations = call.keepsAnnotations && !isCompacting
        let hasOwnTools = call.sendsSearch || call.chatOptions.own?.value.tools.isEmpty == false
        keepsItems = keepsMessages && (isNative || hasOwnTools)
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        var call = call
        let audio = call.attachments.first { $0.kind == .audio }
        var refusal = audio?.refusalAsAudio ?? call.refusalOfFiles(acceptsImages: true)
        do throws(APIError) { try call.permitOwnParts(by: check) } catch { refusal = refusal ?? error }
        guard let original = call.original else {
            let request = ResponsesRequest(call, model: model, isOpenAI: isOpenAI).written()
            var written = WrittenCall(rewritten(request, with: quirks))
            written.refusal = refusal
            written.maxTokens = call.maxTokens.map { max($0, ResponsesRequest.minTokens) }
            if call.isAmbiguous || call.changedOriginal != nil { written.source = .rebuilt }
            return written
        }
        do throws(APIError) {
            let body = Self.written(try original.applying(check.changes(of: original)), call, model: model)
            var written = WrittenCall(rewritten(body, with: quirks), refusal: refusal)
            written.source = written.body.bytes.equals(body.bytes) ? .original : .rebuilt
            return written
        } catch {
            return WrittenCall(original.body, refusal: refusal ?? error)
        }
    }

    private static func written(_ original: OriginalRequest, _ call: ChatCall, model: String) -> Body {
        var name = ByteBuffer()
        name.append(json: model)
        guard call.hasLowerBound, let bound = call.maxTokens else { return original.replacing(["model": Body(name)]) }
        var most = ByteBuffer()
        most.append(decimal: max(bound, ResponsesRequest.minTokens))
        return original.replacing(["model": Body(name), "max_output_tokens": Body(most)])
    }

    func endpoint(isStreamed: Bool) -> Endpoint { endpoint }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = ResponsesReader(
            parser,
            ids,
            isLegacy: isLegacy,
            isCompacting: isCompacting,
            keepsMessages: keepsMessages,
            keepsAnnotations: keepsAnnotations,
            keepsItems: keepsItems
        )
        reader.maxCalls = maxCalls
        reader.isNative = isNative
        self.reader = reader
        return names.restoring(reader)
    }

    var findingOfResponse: QuirkFinding? {
        reader?.lacksCompaction ?? false ? QuirkFinding(.noCompaction) : nil
    }

    /// Returns the reader for error responses. It drops `param`, which names a field of the upstream request, unless that
    /// is the client's own.
    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.openAI, namesFields: isNative)
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        let words = refusal.words
        let isUnknownItem = refusal.status == 404 && words.quote("item with id")
        guard refusal.status == 400 || refusal.status == 422 || isUnknownItem else { return nil }
        if isCompacting, words.quote("compaction") { return QuirkFinding(.noCompaction) }
        let ofOther = FieldChange("input", .dropType("reasoning"))
        if isUnknownItem || refusal.vendorError.names("invalid_encrypted_content") {
            // Without `store`, the server keeps no item, but it reads the content of items without an id. Reasoning needs one.
            let isOfOther = !isUnknownItem || ofOther.concerns(refusal.request)
            let change = isOfOther ? ofOther : FieldChange("input.id")
            return change.concerns(refusal.request) ? QuirkFinding([change], isLasting: false) : nil
        }
        let ofWords = FieldChange("include", .dropUnless(["reasoning.encrypted_content"]))
        // The error may name an element of the list.
        let isOfWords = refusal.vendorError.param?.hasPrefix("include") ?? refusal.names("include")
        if isOfWords, ofWords.concerns(refusal.request) {
            return QuirkFinding([ofWords], isLasting: false)
        }
        // A model without encrypted reasoning has no summaries of it, either.
        let isSealed = words.quoteAny(of: ["encrypted content", "encrypted_content"])
        let word = refusal.request.value(at: "reasoning.summary")?.content
        if !isSealed, words.quote("summar"), let word, word != "auto", word.count <= FieldChange.wordBytes {
            // Other callers' words are not remembered.
            let isKnown = word == "concise" || word == "detailed"
            let change = FieldChange("reasoning.summary", .replace(word.text, by: #""auto""#))
            return QuirkFinding([change], isLasting: isKnown)
        }
        let additions = isSealed ? ["include", "reasoning.summary"] : ["reasoning.summary"]
        let changes =
            isSealed || words.quote("summar")
            ? additions.map { FieldChange($0) }.filter { $0.concerns(refusal.request) } : []
        if !changes.isEmpty { return QuirkFinding(changes) }
        if let finding = refusal.findingOfSearchTool {
            // A search that the request demands cannot be left out.
            return mustSearch ? refusal.new(.noSearch) : finding
        }
        let finding = refusal.findingOfOpenAI
        // At OpenAI this error is about the image or the document itself.
        if isOpenAI, finding?.quirks == [.named(.noAddresses)] { return nil }
        // Other quirks do not apply to this API.
        let isOfThis = finding.map { $0.isLack || $0.quirks.named.isSubset(of: [.named(.shortNames)]) } ?? false
        return isOfThis ? finding : nil
    }

    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        quirks.contains(.shortNames) ? ToolNameShortener.written(request) : request
    }
}

extension ChatCall {
    /// Puts the vendor's ids in the place of the models that the request's own fields, tools and items name.
    ///
    /// Throws if a part must not go on.
    fileprivate mutating func permitOwnParts(by check: RequestCheck) throws(APIError) {
        guard var own = rare?.value.own?.value else { return }
        own.fields = try own.fields.map { (fields) throws(APIError) in try check.permitted(members: fields) }
        own.reasoning = try own.reasoning.map { (part) throws(APIError) in try check.permitted(members: part) }
        own.text = try own.text.map { (part) throws(APIError) in try check.permitted(members: part) }
        for index in own.tools.indices {
            own.tools[index].json = try check.permitted(own.tools[index].json, at: "tools[\(index)]")
        }
        for index in messages.indices {
            for pieceIndex in messages[index].content.indices {
                guard let item = messages[index].content[pieceIndex].reasoning?.item else { continue }
                let permitted = try check.permitted(item, at: "input", isItem: true)
                messages[index].content[pieceIndex] = .reasoningBlock(ReasoningBlock(item: permitted))
            }
        }
        var options = chatOptions
        options.own = Indirect(own)
        chatOptions = options
    }
}
