import Engine
import Shared

/// The usage of one message of the Messages API. The vendor's counts are cumulative: if it reports one several times,
/// the largest wins.
struct MessageUsage {
    private var input: Int?
    private var output: Int?
    private var read = 0
    private var written = 0
    private var reasoningBlock = 0

    mutating func read(_ reported: JSONValue?) {
        guard let reported, reported.kind == .object else { return }
        input.raise(to: reported["input_tokens"]?.reportedTokens)
        output.raise(to: reported["output_tokens"]?.reportedTokens)
        read = max(read, reported["cache_read_input_tokens"]?.tokens ?? 0)
        written = max(written, reported["cache_creation_input_tokens"]?.tokens ?? 0)
        reasoningBlock = max(reasoningBlock, reported["output_tokens_details"]?["thinking_tokens"]?.tokens ?? 0)
    }

    var usage: Usage? {
        guard let input, let output else { return nil }
        var usage = Usage(promptTokens: input + written + read, completionTokens: output)
        usage.cachedTokens = read
        usage.cacheWriteTokens = written
        usage.reasoningTokens = min(output, reasoningBlock)
        return usage
    }
}
