import Engine
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
    package var choices = 1
    package var stops: [String] = []
    package var maxTokens: Int?
    package var webSearch: WebSearch?
    package var wantsCode = false
    /// The abilities of a vendor that the call makes use of.
    package var needs: Abilities = []
    private var rare: Indirect<Wishes>?

    package init() {}

    /// The fields that few calls have; a call without them does not carry them.
    package var wishes: Wishes {
        get { rare?.value ?? Wishes() }
        set { rare = Indirect(newValue) }
    }

    /// Estimated, at least 1.
    package var promptTokens: Int { countedTokens ?? estimatedTokens }
    /// Of long texts, which are counted where they are read.
    private var countedTokens: Int?
    private static let longBytes = 262_144

    package mutating func countIfLong() { if textBytes > Self.longBytes { countedTokens = estimatedTokens } }

    /// By the model's vocabulary where it is known. Long texts are estimated.
    package func promptTokens(by counter: TokenCounter) -> Int {
        guard counter.isExact, textBytes <= Self.longBytes else { return promptTokens }
        var tokens = 0
        for message in messages { message.forEachText { tokens += counter.count($0) } }
        return max(1, tokens)
    }

    private var estimatedTokens: Int {
        var estimate = TokenEstimate()
        for message in messages { message.forEachText { estimate.add($0) } }
        return max(1, estimate.tokens)
    }

    /// The last text of the user; empty: there is no such text.
    package var lastUserText: String { messages.last { $0.role == .user }?.text ?? "" }

    /// Of all texts together.
    package var textBytes: Int {
        var bytes = 0
        for message in messages { message.forEachText { bytes += $0.utf8.count } }
        return bytes
    }

    package struct WebSearch: Sendable {
        package var sites: Int
        package var words: Int

        package init(sites: Int, words: Int) {
            self.sites = sites
            self.words = words
        }
    }
}
