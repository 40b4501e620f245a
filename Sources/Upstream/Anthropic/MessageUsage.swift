import Engine
import Shared

/// The usage of one message of the Messages API. If the vendor reports a token count several times, the last one wins.
struct MessageUsage {
    private var input: Int?
    private var output: Int?
    private var read = 0
    private var written = 0
    private var reasoningBlock = 0

    mutating func read(_ reported: JSONValue?) {
        guard let reported, reported.kind == .object else { return }
        input = reported["input_tokens"]?.reportedTokens ?? input
        output = reported["output_tokens"]?.reportedTokens ?? output
        read = reported["cache_read_input_tokens"]?.tokens ?? read
        written = reported["cache_creation_input_tokens"]?.tokens ?? written
        reasoningBlock = reported["output_tokens_details"]?["thinking_tokens"]?.tokens ?? reasoningBlock
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
