import Calls
import Engine
import Shared

/// A call in OpenAI's format: the original request where possible, else a request written from the neutral call.
///
/// `@unchecked`: used on its loop only, except for `written`.
final class OpenAILikeForm: WireForm, @unchecked Sendable {
    private let completions: Endpoint
    private let model: String
    private let isOpenAI: Bool
    /// Whether a model that refuses calls to this endpoint is called by the Responses API.
    private let turnsToResponses: Bool
    private let hasTools: Bool
    private let mostCalls: Int
    private var terms: AnswerTerms
    private let thoughts: CallerThoughts?
    /// Whether the server demands the reasoning that led to tool calls back.
    private var remembersThoughts: Bool
    /// The reader of the response, if the response may lack choices; else nil.
    private var reader: AnswerReader?
    private(set) var refusal: APIError?
    private let passed: PassedFields

    /// - Parameters:
    ///   - thoughts: the caller's remembered reasoning; nil if none is remembered.
    ///   - isCallersKey: whether the caller's own key is used. If so, nothing is learned about the model.
    init(
        _ vendor: OpenAILike,
        _ call: borrowing ChatCall,
        _ model: Model,
        _ thoughts: CallerThoughts?,
        isCallersKey: Bool
    ) {
        completions = vendor.completions
        isOpenAI = vendor.isOpenAI
        turnsToResponses = vendor.chatsBy == .auto
        hasTools = !call.needs.isDisjoint(with: [.tools, .functions])
        mostCalls = call.mostCalls
        self.model = model.id
        self.thoughts = thoughts
        passed = PassedFields(
            allowing: vendor.site.allowedFields,
            isCallersKey: isCallersKey,
            choices: call.choices
        )
        remembersThoughts = vendor.isDeepSeek
        terms = AnswerTerms(
            model: call.model,
            choices: call.choices,
            includesUsage: call.includesUsage,
            isNative: call.original != nil,
            mostCalls: call.original == nil ? mostCalls : .max,
            isLegacy: call.needs.contains(.functions),
            vendor: vendor.wire,
            learnsChoicesOf: !isCallersKey && call.choices > 1 ? model.id : nil,
            bounds: UsageBounds(call, model)
        )
    }

    func written(_ call: ChatCall, with mends: Mends) -> Body {
        let isForeign = call.original != nil && call.hasSignedThought
        return mended(written(call, mends), with: isForeign ? mends.union(.noForeignThoughts) : mends)
    }

    private func written(_ call: ChatCall, _ mends: Mends) -> Body {
        if let original = call.original ?? call.changedOriginal {
            let request = NativeRequest(original)
            if let refusal = request.refusal(by: passed) {
                self.refusal = refusal
                return original
            }
            if call.original != nil, let written = request.written(for: call, model: model, isOpenAI: isOpenAI) {
                return written
            }
        }
        refusal = call.refusalOfFiles(takesPictures: false)
        let wantsThoughts = mends.contains(.thoughtsBack)
        return OpenAILikeRequest(call, model: model, isOpenAI: isOpenAI, wantsThoughts: wantsThoughts).written()
    }

    func endpoint(isStreamed: Bool) -> Endpoint { completions }

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        let reader = AnswerReader(terms, parser, ids)
        if terms.learnsChoicesOf != nil { self.reader = reader }
        guard remembersThoughts, hasTools, let thoughts else { return reader }
        return ThoughtReader(reader, thoughts)
    }

    var mendOfAnswer: Mends? { reader?.lacksChoices ?? false ? .noChoices : nil }

    func faults(_ parser: JSONParser) -> FaultReader { FaultReader(parser, Fault.openAI, tellsFields: terms.isNative) }

    func mend(
        _ head: UpstreamHead,
        _ refusal: UnsafeRawBufferPointer,
        of request: Body,
        known: Mends,
        _ faults: FaultReader
    ) -> Mends? {
        if turnsToResponses, head.status == 400 || head.status == 404,
            faults.fault(head, refusal).words.say("/responses")
        {
            let new = hasTools ? Mends.otherPathWithTools : .otherPath
            return known.contains(new) ? nil : new
        }
        let mend = faults.mend(head, refusal, of: request, known: known)
        // At OpenAI this error is about the image itself.
        return isOpenAI && mend == .noAddresses ? nil : mend
    }

    func mended(_ request: Body, with mend: Mends) -> Body {
        if mend.contains(.noParallel) { terms.mostCalls = mostCalls }
        if mend.contains(.thoughtsBack) { remembersThoughts = true }
        return MendedRequest.written(request, with: mend, thoughts)
    }
}

extension ChatCall {
    /// Whether a message has reasoning, or a tool call, that some vendor has signed.
    fileprivate var hasSignedThought: Bool {
        messages.indices.contains { place in
            messages[place].role == .assistant
                && (messages[place].toolCalls.contains { $0.signature != nil }
                    || messages[place].content.contains {
                        if case .thought(let thought) = $0 { thought.signature != nil } else { false }
                    })
        }
    }

    /// Returns the error for the first file that is not stored at the provider; nil if there is none.
    ///
    /// - Parameter takesPictures: whether images may be referred to by file ids.
    func refusalOfFiles(takesPictures: Bool) -> APIError? {
        for part in attachments {
            switch part.source {
            case .file: return part.refusalAsAbsent
            case .kept where part.kind == .picture && !takesPictures:
                let why = "the provider of this model does not support file ids of images"
                return .value(part.param, why, code: "unsupported_value")
            default: break
            }
        }
        return nil
    }
}

/// The options of a request that reading its response depends on.
struct AnswerTerms: Sendable {
    /// The model as the client named it.
    let model: String
    let choices: Int
    let includesUsage: Bool
    /// Whether the response is forwarded in OpenAI's format.
    let isNative: Bool
    /// The number of tool calls after which further ones are left out.
    var mostCalls = Int.max
    /// Whether the request uses OpenAI's legacy functions, whose calls have no ids.
    var isLegacy = false
    /// The vendor, for logging unknown finish reasons and for learning quirks; nil if this is not done.
    var vendor: WireVendor?
    /// The model, if it is remembered that it makes one choice only; nil if this is not remembered.
    var learnsChoicesOf: String?
    var bounds = UsageBounds()
}
