import Engine
package import Shared

/// A checked chat request with its options, independent of any vendor.
package struct ChatCall: Sendable {
    package var model = ""
    package var messages: [ChatMessage] = [] { didSet { knownTextBytes = nil } }
    /// The images, files and audio of the request. Messages refer to attachments by index.
    package var attachments: [Attachment] = []
    /// Whether ids of tool calls differ from those in the client's request, where an id occurs twice.
    package internal(set) var hasChangedCallIDs = false
    package var isStreamed = false
    package var includesUsage = false
    /// Whether a streamed response begins with the number of prompt tokens, as in Anthropic's API.
    package var opensWithUsage = false
    /// Whether the response can consist of several messages with phases and annotations, as in the Responses API.
    package var keepsMessages = false
    /// Whether the events contain annotations.
    var keepsAnnotations: Bool { keepsMessages || sendsSearch }
    /// The number of choices that the client requests, for all prompts together.
    package var choices = 1
    /// Whether each message is a separate prompt. All prompts then have the same number of choices.
    package var arePromptsSeparate = false
    package var stops: [String] = []
    package var maxTokens: Int?
    /// Whether `maxTokens` is lower than the client's limit, because the model's context window has no room for more.
    var hasLowerBound = false
    package var webSearch: WebSearch?
    /// Whether the caller switched web search off, also for a model whose name includes web search.
    package var refusesSearch = false
    package var wantsCode = false
    /// Whether one of the tools has a type that only the relay supports, such as `retrieval`.
    package var hasRelayTools = false
    /// The abilities that a vendor must have for this call.
    package var needs: Abilities = []
    /// Whether the requested model name ended in `[1m]`, which asks for a context window of a million tokens.
    package var wantsLongWindow = false
    /// The caller for whom the vendor's quirks are remembered, and the quirks that this call itself has met.
    package var quirks = CallQuirks()
    /// The options that only few calls have; nil if the call has none of them.
    package private(set) var rare: Indirect<ChatOptions>?

    package init() {}

    /// Moves the call out, and leaves an empty call.
    package mutating func taken() -> ChatCall {
        var taken = ChatCall()
        swap(&taken, &self)
        return taken
    }

    /// The options that only few calls have, such as tools. A call without such options uses no memory for them.
    package var chatOptions: ChatOptions {
        get { rare?.value ?? ChatOptions() }
        set { rare = Indirect(newValue) }
    }

    /// Sets `chatOptions` without copying the options.
    package mutating func setOptions(_ chatOptions: Indirect<ChatOptions>) { rare = chatOptions }

    /// Whether the call sets an option whose value is a word: the reasoning effort, the verbosity or the service tier.
    package var hasWords: Bool {
        guard let rare else { return false }
        return rare.value.reasoning.effort != nil || rare.value.reasoning.verbosity != nil
            || rare.value.bookkeeping.serviceTier != nil
    }

    /// Checks the reasoning effort, the verbosity and the service tier.
    ///
    /// Throws if OpenAI's API does not define one of these values.
    ///
    /// Do not call this function if the vendor gets the client's request unchanged.
    func checkOptionValues() throws(APIError) {
        guard let chatOptions = rare?.value else { return }
        let isOfResponses = chatOptions.reasoning.isOfResponses
        let words: [(String, String?, [String])] = [
            (
                isOfResponses ? "reasoning.effort" : "reasoning_effort", chatOptions.reasoning.effort,
                ChatOptions.efforts
            ),
            (isOfResponses ? "text.verbosity" : "verbosity", chatOptions.reasoning.verbosity, ChatOptions.verbosities),
            ("service_tier", chatOptions.bookkeeping.serviceTier, ChatOptions.tiers),
        ]
        for case (let name, let word?, let known) in words where !known.contains(where: { $0.hasSameBytes(as: word) }) {
            throw .value(name, "must be one of \(known.joined(separator: ", "))")
        }
    }

    /// The raw body of the client's request if the vendor gets the body unchanged; nil otherwise.
    package var original: OriginalRequest?

    /// Keeps the raw body of the client's request in `original`.
    package mutating func keep(_ request: OriginalRequest) {
        original = request
        rare?.value.find(in: request)
    }

    /// The error for the first part of the request that the relay does not understand; nil if it understands all.
    ///
    /// With such a part, only a vendor that gets the raw body (`original`) can serve the call.
    package var unreadError: APIError?
    /// Whether what the relay does not understand are tools beside others, which other vendors need not get.
    package var mayLeaveOutTools = false

    /// Whether the client's Messages request cannot go on as it came, because parsers could read different fields.
    package var isAmbiguous = false

    /// The raw body of the client's request, for a vendor of the same API that gets a changed request; nil otherwise.
    ///
    /// Fields of this body that the relay does not know are added to the vendor's request.
    var changedOriginal: OriginalRequest?

    /// The estimated number of tokens in all messages, at least 1.
    package var promptTokens: Int { countedTokens ?? Self.estimatedTokens(of: messages) }
    /// The estimated tokens of a prompt longer than `longBytes`; nil for shorter prompts.
    private var countedTokens: Int?
    private static let longBytes = 262_144
    /// The longest prompt whose texts are kept while the call runs, in bytes.
    package static let keptBytes = 8_192

    /// Stores the size of all texts. If it is above `longBytes`, estimates and stores the number of their tokens, too.
    package mutating func countIfLong() {
        knownTextBytes = textBytes
        if textBytes > Self.longBytes { countedTokens = promptTokens }
    }

    /// Returns the number of tokens of all texts, tools and images. For long texts, the number is only an estimate.
    package func promptTokens(by counter: TokenCounter) -> Int {
        allTokens(by: isCountedAtOnce ? counter : .estimating)
    }

    /// A rough estimate of the number of tokens of all texts, tools and images.
    package var roughTokens: Int {
        if let estimated, estimated.textBytes == textBytes { return estimated.tokens }
        var estimate = PromptEstimate()
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        rare?.withValue { $0.forEachTextAsItCame { estimate.add($0) } }
        return max(1, estimate.tokens) + imageTokens
    }

    /// The stored rough estimate of a long prompt's tokens; nil if the prompt is not longer than `longBytes`.
    ///
    /// The estimate is valid only while the texts of all messages have `textBytes` bytes.
    private var estimated: (tokens: Int, textBytes: Int)?

    /// Computes and stores the estimate of the prompt's tokens (`roughTokens`) if the prompt is longer than
    /// `longBytes`.
    package mutating func estimateIfLong() {
        let bytes = textBytes
        if bytes > Self.longBytes { estimated = (roughTokens, bytes) }
    }

    /// Whether the texts are short enough to count their tokens on the event loop.
    package var isCountedAtOnce: Bool { allTextBytes <= 32_768 }

    /// The size of all texts, tools and the output schema, in bytes.
    package var allTextBytes: Int { textBytes + toolBytes }

    /// The size of all tools and the output schema, in bytes.
    var toolBytes: Int {
        hasToolTexts ? rare?.value.textBytes ?? 0 : 0
    }

    /// The estimated tokens of all tools and the output schema, by their size alone. Does not parse unread tools.
    var estimatedToolTokens: Int {
        var bytes = 0
        if hasToolTexts { rare?.withValue { $0.forEachTextAsItCame { bytes += $0.count - $0.indentBytes } } }
        return bytes / 4
    }

    /// Whether the options have tools or an output schema. Their texts are read from a copy of the options.
    private var hasToolTexts: Bool {
        guard let rare else { return false }
        return rare.value.hasTools || rare.value.hasSchema
    }

    /// Counts the tokens of all tools and the output schema. Can take long. Can be called on any thread.
    func toolTokens(by counter: TokenCounter) -> Int { rare?.withValue { $0.tokens(by: counter) } ?? 0 }

    /// Counts the tokens of all texts, tools and images. Can take long. Can be called on any thread.
    package func allTokens(by counter: TokenCounter) -> Int {
        textTokens(by: counter) + toolTokens(by: counter) + imageTokens
    }

    /// Counts the tokens of the texts of all messages, at least 1. Can take long. Can be called on any thread.
    func textTokens(by counter: TokenCounter) -> Int {
        guard counter.isExact else { return promptTokens }
        var tokens = 0
        for message in messages { message.forEachText { tokens += counter.count($0) } }
        return max(1, tokens)
    }

    /// The estimated tokens of all images.
    package var imageTokens: Int { attachments.reduce(0) { $0 + $1.tokens } }

    /// Returns the estimated tokens of messages, at least 1.
    static func estimatedTokens(of messages: [ChatMessage]) -> Int {
        var estimate = TokenEstimate()
        // In place: a loop over the array would copy each message.
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        return max(1, estimate.tokens)
    }

    /// The chat calls for the separate prompts, each with one choice.
    ///
    /// If `arePromptsSeparate` is false, the list contains only this call.
    package var prompts: [ChatCall] {
        guard arePromptsSeparate else { return [self] }
        return messages.map { message in
            var one = self
            one.messages = [message]
            one.choices = 1
            one.arePromptsSeparate = false
            return one
        }
    }

    /// The text of the last user message; empty if there is no user message.
    var lastUserText: String { messages.last { $0.role == .user }?.text ?? "" }

    /// The size in bytes of the texts, the attachments and the raw body of the client's request.
    package var sentBytes: Int {
        var bytes = textBytes + (original?.bytes.count ?? 0) + (changedOriginal?.bytes.count ?? 0)
        for index in attachments.indices { bytes += attachments[index].sentBytes }
        return bytes
    }

    /// The stored size of the texts of all messages; nil after a change of the messages.
    private var knownTextBytes: Int?

    package var textBytes: Int {
        if let knownTextBytes { return knownTextBytes }
        var bytes = 0
        // In place: a loop over the array would copy each message.
        messages.withUnsafeBufferPointer { for index in $0.indices { bytes += $0[index].textBytes } }
        return bytes
    }

    /// Whether the call has tools and its messages contain earlier tool calls.
    var keepsTools: Bool { rare?.value.hasTools == true && messages.contains { !$0.toolCalls.isEmpty } }

    /// Whether the relay sends the call's tools to the vendor.
    var usesTools: Bool { !needs.isDisjoint(with: [.tools, .functions]) || keepsTools }

    /// Whether the response must be a call of a function, which the output format does not concern.
    var mustCallFunction: Bool { needs.contains(.toolChoice) }

    /// Whether the call has tools whose arguments must match their schemas.
    var hasStrictTools: Bool { usesTools && chatOptions.tools.contains { $0.isStrict == true } }

    /// The maximum number of tool calls that the caller accepts in one response.
    var maxCalls: Int {
        if needs.contains(.functions) { return 1 }
        if rare?.value.toolChoice == ChatOptions.ToolChoice.none { return 0 }
        return needs.contains(.tools) && chatOptions.parallelToolCalls == false ? 1 : .max
    }

    package struct WebSearch: Sendable {
        package var sites: Int
        package var words: Int

        package init(sites: Int, words: Int) {
            self.sites = sites
            self.words = words
        }

        /// The search options of a request that does not specify any.
        package static let usual = WebSearch(sites: 3, words: 500)

        /// The estimated tokens that the search results add to a prompt.
        package var tokens: Int { sites * words * 4 / 3 }
    }

    /// The service tier or the speed that the request asks for; nil if it names none.
    package var tier: String? {
        guard let rare else { return nil }
        // The price of a fast response is its own at each tier.
        return rare.value.bookkeeping.speed ?? rare.value.bookkeeping.serviceTier
    }

    package var advisors: [ChatOptions.Advisor] { rare?.value.advisors ?? [] }

    /// Leaves out the tier and the speed that the request asks for if their price is unknown.
    mutating func leaveOutTiers(by check: RequestCheck, for billing: Billing) {
        guard let kept = rare?.value.bookkeeping, kept.serviceTier != nil || kept.speed != nil else { return }
        var options = chatOptions
        if kept.serviceTier.map(check.drops(tier:)) ?? false {
            options.bookkeeping.serviceTier = nil
            billing.leaveOut("service_tier")
        }
        if kept.speed.map(check.drops(tier:)) ?? false {
            options.bookkeeping.speed = nil
            billing.leaveOut("speed")
        }
        chatOptions = options
    }
}

extension UnsafeRawBufferPointer {
    /// The size of the white space between the values of an indented JSON text; 0 if its beginning has no line end.
    fileprivate var indentBytes: Int {
        guard let first, first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else { return 0 }
        return prefix(4).contains(10) ? countedIndentBytes : 0
    }

    @inline(never)  // Rarely called.
    private var countedIndentBytes: Int {
        var (bytes, offset) = (0, 0)
        while offset < count {
            let byte = self[offset]
            offset = byte == UInt8(ascii: "\"") ? JSONShape.endOfString(in: self, after: offset + 1) + 1 : offset + 1
            if byte <= 32 { bytes += 1 }
        }
        return bytes
    }
}
