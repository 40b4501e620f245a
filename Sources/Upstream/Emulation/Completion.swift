package import Calls
package import Engine
package import Shared

/// The emulation of abilities that a vendor lacks: decorators of its call, in this order from the inside, each only
/// where its ability is lacking and made use of.
package struct Completion: Sendable {
    /// Calls of the vendor, and choices that one of them brings.
    private let calls: Int
    private let choicesPerCall: Int
    private let stops: StopFinder?
    private let maxTokens: Int?
    /// Nil: the vendor sees to what is demanded, or nothing is.
    private let judge: AnswerJudge?
    private let count: CallCount
    private let worker: WorkQueue
    private let loop: EventLoop

    /// - Parameter abilities: of the vendor, with the model of the call.
    package init(
        _ call: borrowing ChatCall,
        lacking abilities: Abilities,
        _ count: CallCount,
        within memory: MemoryBudget,
        by worker: WorkQueue,
        on loop: EventLoop
    ) {
        let needed = call.needs.subtracting(abilities)
        let isMultiplied = !needed.isDisjoint(with: [.choices, .prompts])
        calls = isMultiplied ? call.choices : 1
        choicesPerCall = isMultiplied ? 1 : call.choices
        stops = needed.contains(.stops) ? StopFinder(call.stops) : nil
        maxTokens = needed.contains(.tokenBound) ? call.maxTokens : nil
        // Of several choices none waits for the others.
        let isJudged = needed.contains(.demands) && choicesPerCall == 1
        judge = isJudged ? AnswerJudge(call, by: abilities, within: memory, worker, on: loop) : nil
        isNeeded = calls > 1 || stops != nil || maxTokens != nil || judge != nil
        self.count = count
        self.worker = worker
        self.loop = loop
    }

    /// The choices of the prompt that the vendor has made already; nil: none.
    package var first: ChatAnswer?

    /// False: a chat that has one prompt is completed as it is.
    package let isNeeded: Bool

    /// Whether the answer to the call goes to the client as its vendor makes it, so that it shows if the vendor reports its usage.
    package func leaves(_ call: borrowing ChatCall) -> Bool { !isNeeded && !call.arePromptsSeparate }

    package func completed(_ chat: any PreparedChat, by call: VendorCall) -> any PreparedChat {
        multiplied(judged(bounded(chat)), by: call)
    }

    /// The same, of several prompts.
    package func completed(_ chats: [any PreparedChat], by call: VendorCall) -> any PreparedChat {
        ChoicesChat(chats.map { judged(bounded($0)) }, calls, call, count, loop)
    }

    /// The same, of a call in plain text. `preparing` makes the vendor's chat of one more such call.
    package func completed(
        _ chat: any PreparedChat,
        of call: ChatCall,
        in form: TextForm,
        by vendorCall: VendorCall,
        with means: FormMeans,
        _ preparing: @escaping @Sendable (ChatCall, VendorCall) async throws(UpstreamError) -> any PreparedChat
    ) -> any PreparedChat {
        let repair = Repair(call: call, form: form, means: means, count: count) {
            [self] (call) async throws(UpstreamError) in bounded(try await preparing(call, await vendorCall.another()))
        }
        return multiplied(FormedChat(bounded(chat), repair), by: vendorCall)
    }

    private func bounded(_ chat: any PreparedChat) -> any PreparedChat {
        guard stops != nil || maxTokens != nil else { return chat }
        let finder = stops ?? StopFinder([])
        let bounds = BoundedChat.Bounds(stops: finder, maxTokens: maxTokens)
        return BoundedChat(chat, choices: choicesPerCall, bounds, count, worker, loop)
    }

    private func judged(_ chat: any PreparedChat) -> any PreparedChat { judge.map { JudgedChat(chat, $0) } ?? chat }

    private func multiplied(_ chat: any PreparedChat, by call: VendorCall) -> any PreparedChat {
        calls > 1 ? ChoicesChat([chat], calls, after: first, call, count, loop) : chat
    }

    /// Throws what the client is told of something that the vendor lacks, and that nothing here makes up for.
    package static func check(_ call: borrowing ChatCall, against abilities: Abilities) throws(APIError) {
        let lacking = call.needs.subtracting(abilities).subtracting(Self.emulated)
        guard !lacking.isEmpty else { return }
        if lacking.contains(.logProbabilities) {
            let param = call.wishes.areLogProbabilitiesWanted ? "logprobs" : "top_logprobs"
            throw .unsupported(param, "Log probabilities are not offered here.")
        }
        if lacking.contains(.soundOutput) {
            throw .unsupported(call.wishes.isSoundWanted ? "modalities" : "audio", "Only text is answered here.")
        }
        if lacking.contains(.searchOptions) {
            throw .unsupported("web_search_options", "The model's provider does not search the web.")
        }
        if lacking.contains(.spokenAnswers) {
            throw .unsupported(
                "messages",
                "The words of a spoken answer are known only to the provider that spoke it. Send its transcript."
            )
        }
        if lacking.contains(.customTools) {
            let index = call.wishes.tools.firstIndex { $0.kind == .custom } ?? 0
            throw .value("tools[\(index)].type", "this type is not offered here", code: "unsupported_value")
        }
    }

    private static let emulated: Abilities = [
        .choices, .prompts, .stops, .tokenBound, .inlineMedia, .tools, .functions, .toolChoice, .objects, .schemas,
        .demands,
    ]
}
