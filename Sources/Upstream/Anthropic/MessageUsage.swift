import Engine
import Shared

/// The usage of one message of the Messages API. The vendor's counts are cumulative: if it reports one several times,
/// the largest wins.
struct MessageUsage {
    private var input: Int?
    private var output: Int?
    private var read = 0
    private var written = 0
    private var writtenShort = 0
    private var writtenLong = 0
    private var reasoningBlock = 0
    private var toolUses = ToolUses()
    private var serviceTier: ServiceTier?

    mutating func read(_ reported: JSONValue?) {
        guard let reported, reported.kind == .object else { return }
        input.raise(to: reported["input_tokens"]?.reportedTokens)
        output.raise(to: reported["output_tokens"]?.reportedTokens)
        read = max(read, reported["cache_read_input_tokens"]?.tokens ?? 0)
        written = max(written, reported["cache_creation_input_tokens"]?.tokens ?? 0)
        if let parts = reported["cache_creation"] {
            writtenShort = max(writtenShort, parts["ephemeral_5m_input_tokens"]?.tokens ?? 0)
            writtenLong = max(writtenLong, parts["ephemeral_1h_input_tokens"]?.tokens ?? 0)
        }
        if let uses = reported["server_tool_use"] { toolUses.raise(to: uses) }
        // The price of a fast response is its own at each tier.
        if reported["speed"]?.text?.equals("fast") ?? false {
            serviceTier = .fast
        } else if serviceTier != .fast, let tier = reported["service_tier"]?.text {
            serviceTier = ServiceTier(word: tier)
        }
        reasoningBlock = max(reasoningBlock, reported["output_tokens_details"]?["thinking_tokens"]?.tokens ?? 0)
    }

    var usage: Usage? {
        guard let input, let output else { return nil }
        // Some servers report only the parts.
        let written = max(written, writtenShort + writtenLong)
        var usage = Usage(promptTokens: input + written + read, completionTokens: output)
        usage.cachedTokens = read
        usage.cacheWriteTokens = written
        usage.longCacheWriteTokens = writtenLong
        usage.toolUses = toolUses
        usage.serviceTier = serviceTier
        usage.reasoningTokens = min(output, reasoningBlock)
        return usage
    }
}
