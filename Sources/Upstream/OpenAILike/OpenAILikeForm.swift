import Engine
import Shared

/// One chat call in the format of the chat completions API.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class OpenAILikeForm: WireForm, @unchecked Sendable {
    private let completions: Endpoint
    private let model: String
    private let isOpenAI: Bool
    private let isGoogle: Bool
    /// Whether the relay switches to the Responses API if the chat completions API refuses the model.
    private let turnsToResponses: Bool
    private let hasTools: Bool
    private let maxCalls: Int
    private var responseOptions: ResponseOptions
    private let reasoningBlocks: CallerReasoning?
    /// Whether the relay remembers the response's reasoning that leads to tool calls.
    private var remembersReasoning: Bool
    /// The reader of the response, kept to find out whether the vendor made all requested choices; nil if not needed.
    private var reader: ChatCompletionReader?
    private let check: RequestCheck
    private let names: ShortToolNames

    /// Prepares one call to a vendor.
    /// - Parameters:
    ///   - reasoningBlocks: the reasoning that is remembered for the caller; nil if none is.
    init(
        _ vendor: OpenAILike,
        _ call: borrowing ChatCall,
        model: Model,
        reasoningBlocks: CallerReasoning?,
        _ check: RequestCheck
    ) {
        completions = vendor.completions
        isOpenAI = vendor.isOpenAI
        isGoogle = vendor.completions.host?.hasSuffix("googleapis.com") ?? false
        turnsToResponses = vendor.chatsBy == .auto
        hasTools = !call.needs.isDisjoint(with: [.tools, .functions])
        maxCalls = call.maxCalls
        names = ShortToolNames(call)
        self.model = model.id
        self.reasoningBlocks = reasoningBlocks
        self.check = check
        remembersReasoning = vendor.isDeepSeek
        responseOptions = ResponseOptions(
            model: call.model,
            choices: call.choices,
            includesUsage: call.includesUsage,
            isNative: call.original != nil,
            maxCalls: call.original == nil ? maxCalls : .max,
            isLegacy: call.needs.contains(.functions),
            // Without the original the client gets them as events, also those of choices from several calls.
            keepsAnnotations: call.keepsAnnotations || call.choices > 1 || call.changedOriginal != nil,
            vendor: vendor.wire,
            learnsChoicesFor: call.choices > 1 ? ModelCaller(vendor.name, model.id, call.quirks.owner) : nil,
            bounds: UsageBounds(call, model),
            stops: call.stops
        )
    }

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        let isForeign = call.original != nil && call.hasSignedReasoning
        adopt(quirks)
        var written = written(call, quirks)
        written.body = rewritten(
            written.body,
            with: isForeign ? quirks.union([.named(.noForeignReasoning)]) : quirks
        )
        return written
    }

    private func written(_ call: ChatCall, _ quirks: Set<Quirk>) -> WrittenCall {
        if let original = call.original ?? call.changedOriginal {
            do throws(APIError) {
                let request = try NativeRequest(original)
                    .permitted(by: check, hasUnknownParts: call.original != nil && call.unreadError != nil)
                if call.original != nil, let written = request.written(for: call, model: model, isOpenAI: isOpenAI) {
                    return WrittenCall(written)
                }
                if call.original != nil, let error = call.unreadError { throw error }
            } catch {
                return WrittenCall(original.body, refusal: error)
            }
        }
        // OpenAI and Google refuse reasoning; others read it, or say that they do not know it.
        let wantsReasoning = !isOpenAI && !isGoogle || quirks.contains(.reasoningBack)
        let request = OpenAILikeRequest(
            call,
            model: model,
            isOpenAI: isOpenAI,
            wantsReasoning: wantsReasoning,
            signatures: CallSignatures(reasoningBlocks, isGoogle: isGoogle)
        )
        return WrittenCall(request.written(), refusal: call.refusalOfFiles(acceptsImages: false))
    }

    func endpoint(isStreamed: Bool) -> Endpoint { completions }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = ChatCompletionReader(responseOptions, parser, ids: ids)
        if responseOptions.learnsChoicesFor != nil { self.reader = reader }
        let isRecorded = hasTools && (remembersReasoning || !responseOptions.isNative)
        guard isRecorded, let reasoningBlocks else { return names.restoring(reader) }
        return names.restoring(
            ReasoningRecorder(reader, reasoningBlocks, remembersReasoning: remembersReasoning)
        )
    }

    var findingOfResponse: QuirkFinding? { reader?.lacksChoices ?? false ? QuirkFinding(.noChoices) : nil }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        ErrorResponseReader(parser, VendorError.openAI, namesFields: responseOptions.isNative)
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? {
        if turnsToResponses, refusal.status == 400 || refusal.status == 404, refusal.isOfChatPath {
            let new = hasTools ? QuirkName.otherPathWithTools : .otherPath
            return refusal.known.contains(new) ? nil : QuirkFinding(new)
        }
        let finding = refusal.findingOfOpenAI
        // At OpenAI this error is about the image itself.
        return isOpenAI && finding?.quirks == [.named(.noAddresses)] ? nil : finding
    }

    func adopt(_ quirks: Set<Quirk>) {
        if quirks.isEmpty { return }
        if quirks.contains(.field(FieldChange("parallel_tool_calls"))) { responseOptions.maxCalls = maxCalls }
        if quirks.contains(.reasoningBack) { remembersReasoning = true }
    }

    func rewritten(_ request: Body, with quirks: Set<Quirk>) -> Body {
        RequestRewriter.written(request, with: quirks, reasoningBlocks)
    }
}

extension ChatCall {
    /// Whether a message contains reasoning, or a tool call, with a vendor's signature.
    fileprivate var hasSignedReasoning: Bool {
        messages.indices.contains { index in
            messages[index].role == .assistant
                && (messages[index].toolCalls.contains { $0.signature != nil }
                    || messages[index].content.contains { $0.reasoning?.signature != nil })
        }
    }

    /// Returns the error for the first attachment with a file that the provider cannot use; otherwise nil.
    /// - Parameter acceptsImages: whether the provider accepts file ids for images.
    func refusalOfFiles(acceptsImages: Bool) -> APIError? {
        for part in attachments {
            switch part.source {
            case .file: return part.refusalAsAbsent
            case .kept where part.kind == .image && !acceptsImages:
                let why = "the provider of this model does not support file ids of images"
                return .unsupportedValue(part.param, why)
            default: break
            }
        }
        return nil
    }
}

/// The options of a request that are needed to read its response.
struct ResponseOptions: Sendable {
    /// The model's name in the client's request.
    let model: String
    let choices: Int
    let includesUsage: Bool
    /// Whether the response is forwarded to the client in OpenAI's format.
    let isNative: Bool
    /// The maximum number of tool calls; further ones are ignored.
    var maxCalls = Int.max
    /// Whether the request uses OpenAI's legacy functions. Their calls have no ids.
    var isLegacy = false
    /// Whether annotations are emitted (`ChatCall.keepsAnnotations`).
    var keepsAnnotations = false
    /// The vendor, for logging unknown finish reasons and for learning quirks; nil if neither is done.
    var vendor: WireVendor?
    /// The model and the caller if the relay learns from missing choices that this model makes only one; otherwise nil.
    var learnsChoicesFor: ModelCaller?
    var bounds = UsageBounds()
    /// The stop sequences of the request.
    var stops: [String] = []
}
