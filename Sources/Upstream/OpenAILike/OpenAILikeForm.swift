import Calls
import Engine
import Shared

/// A call in OpenAI's form: as it came, if it came so, else written anew.
///
/// `@unchecked`: used on its loop only, but for `written`.
final class OpenAILikeForm: WireForm, @unchecked Sendable {
    private let completions: Endpoint
    private let model: String
    private let isOpenAI: Bool
    /// A model that refuses calls here is asked by the Responses API.
    private let turnsToResponses: Bool
    private let hasTools: Bool
    private let mostCalls: Int
    private var terms: AnswerTerms
    private let thoughts: CallerThoughts?
    /// The server wants them back.
    private var remembersThoughts: Bool
    /// Of the answer, if it may lack choices.
    private var reader: AnswerReader?
    private(set) var refusal: APIError?
    private let passed: PassedFields

    /// - Parameters:
    ///   - thoughts: nil: none are remembered.
    ///   - isCallersKey: whether the caller's own key is used. Otherwise what the answer lacks is remembered of the model.
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
            if call.original != nil, let written = request.written(for: call, model: model, isOpenAI: isOpenAI) { return written }
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
        // There it is about the picture.
        return isOpenAI && mend == .noAddresses ? nil : mend
    }

    func mended(_ request: Body, with mend: Mends) -> Body {
        if mend.contains(.noParallel) { terms.mostCalls = mostCalls }
        if mend.contains(.thoughtsBack) { remembersThoughts = true }
        return MendedRequest.written(request, with: mend, thoughts)
    }
}

extension ChatCall {
    /// Some vendor has signed a thought, or a call, in it.
    fileprivate var hasSignedThought: Bool {
        messages.indices.contains { place in
            messages[place].role == .assistant
                && (messages[place].toolCalls.contains { $0.signature != nil }
                    || messages[place].content.contains {
                        if case .thought(let thought) = $0 { thought.signature != nil } else { false }
                    })
        }
    }

    /// Of files that are not at the provider.
    ///
    /// - Parameter takesPictures: pictures may be named by the ids of files.
    func refusalOfFiles(takesPictures: Bool) -> APIError? {
        for part in attachments {
            switch part.source {
            case .file: return part.refusalAsAbsent
            case .kept where part.kind == .picture && !takesPictures:
                let why = "the model's provider takes no pictures by the ids of files"
                return .value(part.param, why, code: "unsupported_value")
            default: break
            }
        }
        return nil
    }
}

/// The part of a call that the reading of its answer depends on.
struct AnswerTerms: Sendable {
    /// As the caller named it.
    let model: String
    let choices: Int
    let includesUsage: Bool
    /// The answer goes on as it came.
    let isNative: Bool
    /// More are left out.
    var mostCalls = Int.max
    /// OpenAI's older form: a call has no id.
    var isLegacy = false
    /// To log what is unknown; nil: nobody does.
    var vendor: WireVendor?
    /// The model of which it is remembered that it makes one choice; nil: it is not.
    var learnsChoicesOf: String?
    var bounds = UsageBounds()
}
