import Engine
import Shared

/// The usage of a message. Several events report it, and the last report of each number wins.
struct MessageUsage {
    private var input: Int?
    private var output: Int?
    private var read = 0
    private var written = 0
    private var thought = 0

    mutating func take(_ told: JSONValue?) {
        guard let told, told.kind == .object else { return }
        input = told["input_tokens"]?.reportedTokens ?? input
        output = told["output_tokens"]?.reportedTokens ?? output
        read = told["cache_read_input_tokens"]?.tokens ?? read
        written = told["cache_creation_input_tokens"]?.tokens ?? written
        thought = told["output_tokens_details"]?["thinking_tokens"]?.tokens ?? thought
    }

    var usage: Usage? {
        guard let input, let output else { return nil }
        var usage = Usage(promptTokens: input + written + read, completionTokens: output)
        usage.cachedTokens = read
        usage.cacheWriteTokens = written
        usage.reasoningTokens = min(output, thought)
        return usage
    }
}
