package import Engine
package import Shared

/// A chat request, checked, free of any vendor: all that its caller said.
package struct ChatCall: Sendable {
    package var model = ""
    package var messages: [ChatMessage] = []
    /// The content of the messages besides text; a message names it by its place.
    package var attachments: [Attachment] = []
    package var isStreamed = false
    package var includesUsage = false
    /// The answer begins with the number of the prompt's tokens.
    package var opensWithUsage = false
    /// Of all prompts together.
    package var choices = 1
    /// Each message is a prompt by itself; they have as many choices each.
    package var arePromptsSeparate = false
    package var stops: [String] = []
    package var maxTokens: Int?
    package var webSearch: WebSearch?
    /// Whether the caller said that the web is not to be searched, whatever the model's name asks for.
    package var refusesSearch = false
    package var wantsCode = false
    /// Whether one of the tools is of a type that the relay alone has.
    package var hasRelayTools = false
    /// The abilities of a vendor that the call makes use of.
    package var needs: Abilities = []
    private var rare: Indirect<Wishes>?

    package init() {}

    /// The fields that few calls have; a call without them does not carry them.
    package var wishes: Wishes {
        get { rare?.value ?? Wishes() }
        set { rare = Indirect(newValue) }
    }

    /// Sets `wishes` without a copy of them.
    package mutating func take(_ wishes: Indirect<Wishes>) { rare = wishes }

    /// Whether a field has a word that `checkWords` looks at; few calls have one.
    package var hasWords: Bool {
        guard let rare else { return false }
        return rare.value.reasoning.effort != nil || rare.value.reasoning.verbosity != nil
            || rare.value.bookkeeping.serviceTier != nil
    }

    /// Throws if a field has a word that OpenAI's contract does not have. Servers of its wire may have more.
    package func checkWords() throws(APIError) {
        guard let wishes = rare?.value else { return }
        let isOfResponses = wishes.reasoning.isOfResponses
        let words: [(String, String?, [String])] = [
            (isOfResponses ? "reasoning.effort" : "reasoning_effort", wishes.reasoning.effort, Wishes.efforts),
            (isOfResponses ? "text.verbosity" : "verbosity", wishes.reasoning.verbosity, Wishes.verbosities),
            ("service_tier", wishes.bookkeeping.serviceTier, Wishes.tiers),
        ]
        for case (let name, let word?, let known) in words where !known.contains(where: { $0.hasSameBytes(as: word) }) {
            throw .value(name, "must be one of \(known.joined(separator: ", "))")
        }
    }

    /// The request as it came, until a vendor that speaks its wire has written its own; nil: no such vendor serves it, or
    /// the call is no longer as it came. Not one of the wishes, which would be copied to look at it.
    package var original: Body?

    /// Keeps the request as it came, and finds tools in it that were not read.
    package mutating func keep(_ request: Body) {
        original = request
        rare?.value.find(in: request)
    }

    /// The same of a call that is no longer as it came: its members that the call does not have still go to a vendor that
    /// speaks its wire.
    package var changedOriginal: Body?

    /// Estimated, at least 1.
    package var promptTokens: Int { countedTokens ?? Self.estimatedTokens(of: messages) }
    /// Of long texts, which are counted where they are read.
    private var countedTokens: Int?
    private static let longBytes = 262_144
    /// The texts of a longer prompt are not kept for the time of the answer, but counted before.
    package static let keptBytes = 8_192

    package mutating func countIfLong() { if textBytes > Self.longBytes { countedTokens = promptTokens } }

    /// Of texts, tools and pictures, by the model's vocabulary where it is known. Long texts are estimated.
    package func promptTokens(by counter: TokenCounter) -> Int {
        allTokens(by: isCountedAtOnce ? counter : .estimating)
    }

    /// The tokens of all texts, tools and pictures, estimated in a twentieth of the time that counting takes. A reservation
    /// takes them where the vendor is expected to report the true count.
    package var roughTokens: Int {
        var estimate = PromptEstimate()
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        rare?.value.add(to: &estimate)
        return max(1, estimate.tokens) + pictureTokens
    }

    /// Counting by a vocabulary takes up to a quarter of a microsecond for each byte.
    package var isCountedAtOnce: Bool { allTextBytes <= 32_768 }

    /// Of all texts, tools and the schema of an answer.
    package var allTextBytes: Int { textBytes + (rare?.value.textBytes ?? 0) }

    /// The same, however long the texts are; on any thread.
    package func allTokens(by counter: TokenCounter) -> Int {
        textTokens(by: counter) + (rare?.value.tokens(by: counter) ?? 0) + pictureTokens
    }

    /// Of texts alone, however long they are; on any thread.
    package func textTokens(by counter: TokenCounter) -> Int {
        guard counter.isExact else { return promptTokens }
        var tokens = 0
        for message in messages { message.forEachText { tokens += counter.count($0) } }
        return max(1, tokens)
    }

    package var pictureTokens: Int { attachments.reduce(0) { $0 + $1.tokens } }

    /// Of messages, at least 1.
    package static func estimatedTokens(of messages: [ChatMessage]) -> Int {
        var estimate = TokenEstimate()
        // In place, as below.
        for index in messages.indices { messages[index].forEachText { estimate.add($0) } }
        return max(1, estimate.tokens)
    }

    /// A call for each of its prompts, each with one choice; only itself if it has one prompt.
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

    /// The last text of the user; empty: there is no such text.
    package var lastUserText: String { messages.last { $0.role == .user }?.text ?? "" }

    /// Of all that a vendor is sent.
    package var sentBytes: Int {
        var bytes = textBytes + (original?.bytes.count ?? 0) + (changedOriginal?.bytes.count ?? 0)
        for index in attachments.indices { bytes += attachments[index].sentBytes }
        return bytes
    }

    /// Of all texts together.
    package var textBytes: Int {
        var bytes = 0
        // In place: a loop over the array would copy each message.
        for index in messages.indices { bytes += messages[index].textBytes }
        return bytes
    }

    /// It has calls that were made before, and the tools that they were made of.
    package var keepsTools: Bool {
        rare?.value.hasTools == true && messages.contains { !$0.toolCalls.isEmpty }
    }

    /// Its vendor is told of tools: they may be called, or were.
    package var bringsTools: Bool { !needs.isDisjoint(with: [.tools, .functions]) || keepsTools }

    /// Calls of tools that its caller takes in one answer.
    package var mostCalls: Int {
        if needs.contains(.functions) { return 1 }
        if rare?.value.toolChoice == Wishes.ToolChoice.none { return 0 }
        return needs.contains(.tools) && wishes.parallelToolCalls == false ? 1 : .max
    }

    package struct WebSearch: Sendable {
        package var sites: Int
        package var words: Int

        package init(sites: Int, words: Int) {
            self.sites = sites
            self.words = words
        }

        /// The search of a caller who says nothing about it.
        package static let usual = WebSearch(sites: 3, words: 500)

        /// The tokens that the search adds to a prompt, estimated.
        package var tokens: Int { sites * words * 4 / 3 }
    }

    /// Returns the search of a chat with the model; nil if it makes none.
    package func search(with model: borrowing Model) -> WebSearch? {
        webSearch ?? (model.searchesWeb && !refusesSearch ? .usual : nil)
    }
}
