package import Engine
package import Shared

/// The emulation of abilities that a vendor lacks, such as stop sequences.
package struct ChatEmulation: Sendable {
    /// The number of upstream calls for one response. Each call returns `choicesPerCall` choices.
    private let calls: Int
    private let choicesPerCall: Int
    private let stops: StopFinder?
    private let maxTokens: Int?
    /// The validator of the output; nil if the output needs no validation or cannot be validated.
    private let validator: OutputValidator?
    private let count: CallCount
    private let loop: EventLoop

    /// - Parameters:
    ///   - abilities: the vendor's own abilities with the call's model.
    ///   - memory: the budget for output that is held back until it is validated.
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
        // Several choices of one call are not validated, because each would have to wait for the others.
        let isDemanding = needed.contains(.demands) || abilities.contains(.uncheckedArguments)
        let isChecked = isDemanding && choicesPerCall == 1
        validator = isChecked ? OutputValidator(call, by: abilities, within: memory, worker, on: loop) : nil
        isNeeded = calls > 1 || stops != nil || maxTokens != nil || validator != nil
        self.count = count
        self.loop = loop
    }

    /// The response of an earlier upstream call for the same prompt, whose choices are used again; nil if there was no
    /// such call.
    package var first: LoggedStream?

    /// Whether the call needs an emulated ability, such as several choices or stop sequences.
    package let isNeeded: Bool

    /// Returns whether the emulation leaves the vendor's response to this call unchanged.
    package func leaves(_ call: borrowing ChatCall) -> Bool { !isNeeded && !call.arePromptsSeparate }

    package func completed(_ chat: any PreparedChat) -> any PreparedChat { multiplied(judged(bounded(chat))) }

    /// Combines the chats of several prompts into one, and adds the emulated abilities that the call needs.
    package func completed(_ chats: [any PreparedChat]) -> any PreparedChat {
        ChoicesChat(chats.map { judged(bounded($0)) }, calls, count: count, loop: loop)
    }

    /// Adds tools and output formats to the chat of a vendor that supports only text.
    /// - Parameters:
    ///   - call: the client's call, with its tools and format described in the prompt.
    ///   - form: the tools and the format that the prompt describes.
    ///   - preparing: prepares the vendor's chat for a further call, which asks the model to correct its output.
    package func completed(
        _ chat: any PreparedChat,
        of call: ChatCall,
        in form: TextProtocol,
        with context: OutputParserContext,
        _ preparing: @escaping @Sendable (ChatCall, Attempt) async throws(UpstreamError) -> any PreparedChat
    ) -> any PreparedChat {
        let repair = Repair(call: call, form: form, context: context, count: count) {
            [self] (call, attempt) async throws(UpstreamError) in bounded(try await preparing(call, attempt))
        }
        return multiplied(PromptedToolsChat(bounded(chat), repair))
    }

    private func bounded(_ chat: any PreparedChat) -> any PreparedChat {
        guard stops != nil || maxTokens != nil else { return chat }
        let (stops, counter) = (stops ?? StopFinder([]), count.counter)
        return TruncatingChat(chat, choices: choicesPerCall) { [maxTokens] in
            OutputLimiter(stops: stops, maxTokens: maxTokens, counter)
        }
    }

    private func judged(_ chat: any PreparedChat) -> any PreparedChat {
        validator.map { SchemaCheckedChat(chat, $0) } ?? chat
    }

    private func multiplied(_ chat: any PreparedChat) -> any PreparedChat {
        calls > 1 ? ChoicesChat([chat], calls, after: first, count: count, loop: loop) : chat
    }

    /// Checks that the vendor has, or the relay can emulate, all abilities that the call needs.
    /// - Throws: the error for the client that names the unsupported option.
    package static func check(_ call: borrowing ChatCall, against abilities: Abilities) throws(APIError) {
        let lacking = call.needs.subtracting(abilities).subtracting(Self.emulated)
        guard !lacking.isEmpty else { return }
        if lacking.contains(.logProbabilities) {
            let param = call.chatOptions.wantsLogProbabilities ? "logprobs" : "top_logprobs"
            throw .unsupported(param, "Log probabilities are not supported.")
        }
        if lacking.contains(.audioOutput) {
            throw .unsupported(
                call.chatOptions.wantsAudioOutput ? "modalities" : "audio",
                "Only text output is supported."
            )
        }
        if lacking.contains(.searchOptions) {
            let options = call.chatOptions
            let field = options.hasSearchFlag ? "web_search" : "web_search_options"
            throw .unsupported(
                options.searchTool.map { "tools[\($0.index)].type" } ?? field,
                abilities.contains(.searchAlone)
                    ? "The provider of this model supports web search only without tools. Remove '\(field)' or 'tools'."
                    : "The provider of this model does not support web search."
            )
        }
        if lacking.contains(.audioReferences) {
            throw .unsupported(
                "messages",
                "References to audio output work only with the provider that produced the audio. Send the transcript."
            )
        }
        if lacking.contains(.ownCompactions) {
            throw .value("input", "a compaction was not created by this relay for this key")
        }
        if lacking.contains(.ownItems), let refusal = call.chatOptions.own?.value.refusal { throw refusal }
        if lacking.contains(.customTools) {
            let index = call.chatOptions.tools.firstIndex { $0.kind == .custom } ?? 0
            throw .unsupportedValue("tools[\(index)].type", "this type is not supported")
        }
    }

    private static let emulated: Abilities = [
        .choices, .prompts, .stops, .tokenBound, .inlineMedia, .tools, .functions, .toolChoice, .objects, .schemas,
        .demands,
    ]
}

extension SpeechCall {
    /// Creates a speech call that speaks the user's last text, in a voice that most models support.
    package init(_ chat: ChatCall) throws(APIError) {
        let text = chat.lastUserText
        try Self.check(length: text.utf8.count, "messages")
        self.init(model: chat.model, text: text, voice: "alloy", format: nil, speed: nil)
        try checkText("messages")
    }
}
