import Engine
package import Shared

/// A chat request with all its options, checked, in a form that is independent of vendors.
package struct ChatCall: Sendable {
    package var model = ""
    package var messages: [ChatMessage] = []
    /// The content of the messages that is not text. Messages refer to it by its index.
    package var attachments: [Attachment] = []
    package var isStreamed = false
    package var includesUsage = false
    /// Whether the response begins with the number of prompt tokens.
    package var opensWithUsage = false
    /// The number of choices, for all prompts together.
    package var choices = 1
    /// Whether each message is a prompt of its own. All prompts then have the same number of choices.
    package var arePromptsSeparate = false
    package var stops: [String] = []
    package var maxTokens: Int?
    package var webSearch: WebSearch?
    /// Whether the caller excluded web search, even if the model's name includes it.
    package var refusesSearch = false
    package var wantsCode = false
    /// Whether one of the tools has a type that only the relay supports.
    package var hasRelayTools = false
    /// The abilities that the vendor needs for this call.
    package var needs: Abilities = []
    private var rare: Indirect<ChatOptions>?

    package init() {}

    /// The options that few calls have. They take no room in calls without them.
    package var chatOptions: ChatOptions {
        get { rare?.value ?? ChatOptions() }
        set { rare = Indirect(newValue) }
    }

    /// Sets `chatOptions` without copying them.
    package mutating func setOptions(_ chatOptions: Indirect<ChatOptions>) { rare = chatOptions }

    /// Whether a field has a value that `checkOptionValues` checks. Few calls have such a field.
    package var hasWords: Bool {
        guard let rare else { return false }
        return rare.value.reasoning.effort != nil || rare.value.reasoning.verbosity != nil
            || rare.value.bookkeeping.serviceTier != nil
    }

    /// Throws if a field has a value that OpenAI's API does not define. OpenAI-compatible servers may support more
    /// values.
    package func checkOptionValues() throws(APIError) {
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

    /// The raw request body, for a vendor that speaks the client's API; nil if there is no such vendor or the call was
    /// changed. A field of its own, because reading `chatOptions` copies them.
    package var original: OriginalRequest?

    /// Keeps the raw request body, also for tools that have not been read.
    package mutating func keep(_ request: OriginalRequest) {
        original = request
        rare?.value.find(in: request)
    }

    /// The raw request body of a call that was changed. Its members that `ChatCall` does not have are still sent to a
    /// vendor that speaks the client's API.
    package var changedOriginal: OriginalRequest?

    /// The estimated number of prompt tokens, at least 1.
    package var promptTokens: Int { countedTokens ?? Self.estimatedTokens(of: messages) }
    /// The number of prompt tokens of a long prompt, counted when it is read; nil for short prompts.
    private var countedTokens: Int?
    private static let longBytes = 262_144
    /// The largest prompt, in bytes, whose texts are kept until the response. Longer prompts are counted before.
    package static let keptBytes = 8_192

    /// Counts the prompt's tokens now if it is long.
    package mutating func countIfLong() { if textBytes > Self.longBytes { countedTokens = promptTokens } }

    /// Returns the tokens of texts, tools and images, counted with the model's vocabulary if it is known. Long texts
    /// are estimated.
    package func promptTokens(by counter: TokenCounter) -> Int {
        allTokens(by: isCountedAtOnce ? counter : .estimating)
    }

    /// The estimated tokens of all texts, tools and images. Estimating takes a twentieth of the time of counting.
    /// Reservations use it if the vendor is expected to report the true count.
    package var roughTokens: Int {
        if let estimated, estimated.textBytes == textBytes { return estimated.tokens }
        var estimate = PromptEstimate()
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        rare?.value.add(to: &estimate)
        return max(1, estimate.tokens) + imageTokens
    }

    /// The estimate of a long prompt that was made when it was read, with the size of its texts; nil for short prompts.
    private var estimated: (tokens: Int, textBytes: Int)?

    /// Estimates the prompt's tokens now if it is long, so that `roughTokens` takes no time on the loop.
    package mutating func estimateIfLong() {
        let bytes = textBytes
        if bytes > Self.longBytes { estimated = (roughTokens, bytes) }
    }

    /// Whether the texts are short enough to count their tokens on the loop. Counting takes up to a quarter of a
    /// microsecond per byte.
    package var isCountedAtOnce: Bool { allTextBytes <= 32_768 }

    /// The size of all texts, tools and the output schema, in bytes.
    package var allTextBytes: Int { textBytes + (rare?.value.textBytes ?? 0) }

    /// Returns the tokens of texts, tools and images, however long the texts are. Can be called on any thread.
    package func allTokens(by counter: TokenCounter) -> Int {
        textTokens(by: counter) + (rare?.value.tokens(by: counter) ?? 0) + imageTokens
    }

    /// Returns the tokens of the messages' texts, however long they are. Can be called on any thread.
    package func textTokens(by counter: TokenCounter) -> Int {
        guard counter.isExact else { return promptTokens }
        var tokens = 0
        for message in messages { message.forEachText { tokens += counter.count($0) } }
        return max(1, tokens)
    }

    /// The estimated tokens of all images.
    package var imageTokens: Int { attachments.reduce(0) { $0 + $1.tokens } }

    /// Returns the estimated tokens of messages, at least 1.
    package static func estimatedTokens(of messages: [ChatMessage]) -> Int {
        var estimate = TokenEstimate()
        // In place: a loop over the array would copy each message.
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        return max(1, estimate.tokens)
    }

    /// One call with one choice for each prompt; only this call if it has one prompt.
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

    /// The last text of the user; empty if there is none.
    package var lastUserText: String { messages.last { $0.role == .user }?.text ?? "" }

    /// The size of everything that the vendor is sent, in bytes.
    package var sentBytes: Int {
        var bytes = textBytes + (original?.bytes.count ?? 0) + (changedOriginal?.bytes.count ?? 0)
        for index in attachments.indices { bytes += attachments[index].sentBytes }
        return bytes
    }

    /// The size of the texts of all messages, in bytes.
    package var textBytes: Int {
        var bytes = 0
        // In place: a loop over the array would copy each message.
        for index in messages.indices { bytes += messages[index].textBytes }
        return bytes
    }

    /// Whether the call has both tools and earlier calls of them.
    package var keepsTools: Bool {
        rare?.value.hasTools == true && messages.contains { !$0.toolCalls.isEmpty }
    }

    /// Whether the vendor gets tools, because they may be called or were called before.
    package var usesTools: Bool { !needs.isDisjoint(with: [.tools, .functions]) || keepsTools }

    /// The most tool calls that the caller accepts in one response.
    package var maxCalls: Int {
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

        /// The search options of a caller who does not specify any.
        package static let usual = WebSearch(sites: 3, words: 500)

        /// The estimated tokens that the search adds to a prompt.
        package var tokens: Int { sites * words * 4 / 3 }
    }

    /// Returns the search options for a chat with the model; nil if it does not search.
    package func search(with model: borrowing Model) -> WebSearch? {
        webSearch ?? (model.searchesWeb && !refusesSearch ? .usual : nil)
    }
}
