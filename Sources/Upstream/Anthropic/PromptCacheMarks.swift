import Engine
import Shared

/// The cache breakpoints that the relay sets in requests to Claude whose clients set none.
///
/// Anthropic caches a prompt only up to a breakpoint. A cached token costs a tenth, and writing it a quarter more.
struct PromptCacheMarks: Sendable {
    private let isLong: Bool
    private let beginnings: RecentBeginnings

    /// The number of the user's last turns that get a breakpoint. The last one is the last but one of the next request.
    private static let maxTurns = 2
    /// The bytes of a token in long texts.
    private static let bytesPerToken = 4

    /// Creates the breakpoints of a provider; nil if the relay sets none there.
    /// - Parameter isAnthropics: whether the server is Anthropic's own or Vertex AI.
    init?(_ setting: ProviderSettings.PromptCache, _ beginnings: RecentBeginnings, isAnthropics: Bool) {
        if setting == .off || setting == .auto && !isAnthropics { return nil }
        isLong = setting == .long
        self.beginnings = beginnings
    }

    /// Returns the breakpoints of a call. They are empty if the prompt is too short for the cache, and for a call whose
    /// beginning is not expected again.
    func breakpoints(
        of call: borrowing ChatCall,
        _ chatOptions: ChatOptions,
        _ model: ClaudeModel,
        name: String,
        for owner: CallQuirks.Owner
    ) -> [ChatOptions.CacheBreakpoint] {
        let least = model.minCachedTokens
        guard call.allTextBytes >= 2 * Self.bytesPerToken * least || call.roughTokens >= least else { return [] }
        let isRepeated = isRepeated(call, chatOptions, name, owner, leastBytes: Self.bytesPerToken * least)
        let hasTurns = call.messages.contains { $0.role == .assistant }
        guard hasTurns || isRepeated || chatOptions.bookkeeping.promptCacheKey?.isEmpty == false else { return [] }
        let isLong = isLong || chatOptions.bookkeeping.wantsLongCache
        var marks: [ChatOptions.CacheBreakpoint] = []
        if let last = chatOptions.tools.indices.last { marks.append(.init(.tool(last), isLong: isLong)) }
        let instructions = call.messages.leadingInstructions
        if let last = call.messages[..<instructions].lastIndex(where: { !$0.content.isEmpty }) {
            marks.append(.init(.piece(call.messages[last].content.count - 1, of: last), isLong: isLong))
        }
        if hasTurns { Self.addTurns(of: call.messages[instructions...], to: &marks) }
        return marks
    }

    /// Adds the ends of the user's last turns. Instructions at the end of a turn come after its breakpoint: those that
    /// the relay adds are not in the next request.
    private static func addTurns(of messages: ArraySlice<ChatMessage>, to marks: inout [ChatOptions.CacheBreakpoint]) {
        var (turns, isMarked) = (0, false)
        for index in messages.indices.reversed() {
            let message = messages[index]
            if message.role == .assistant {
                isMarked = false
                if turns == maxTurns { return }
            } else if !isMarked, !message.isInstruction, message.isResult || !message.content.isEmpty {
                (turns, isMarked) = (turns + 1, true)
                // A result without its call is written as text.
                if message.isResult { marks.append(.init(.result(of: index), isLong: false)) }
                marks.append(.init(.piece(message.content.count - 1, of: index), isLong: false))
            }
        }
    }

    /// Records the tools and the instructions of a call. Returns whether they are long enough for the cache, and the
    /// caller sent the same ones a short time ago.
    private func isRepeated(
        _ call: borrowing ChatCall,
        _ chatOptions: ChatOptions,
        _ name: String,
        _ owner: CallQuirks.Owner,
        leastBytes: Int
    ) -> Bool {
        var hasher = Hasher()
        var bytes = 0
        hasher.combine(owner)
        func add(_ text: UnsafeRawBufferPointer) {
            bytes += text.count
            hasher.combine(text.count)
            hasher.combine(bytes: text)
        }
        name.withBytes(add)
        for tool in chatOptions.tools {
            tool.name.withBytes(add)
            tool.description?.withBytes(add)
            if let schema = tool.schema { add(schema.bytes) }
        }
        for message in call.messages[..<call.messages.leadingInstructions] { message.forEachText { $0.withBytes(add) } }
        return bytes >= leastBytes && beginnings.record(hasher.finalize())
    }
}
