import Engine
import Shared

/// The counts of tokens that a server tells.
struct UsageCounts {
    private var prompt: Int?
    private var completion: Int?
    private var cached = 0
    private var written = 0
    private var reasoning = 0

    /// Nil: it has not told enough.
    var usage: Usage? {
        guard let prompt, let completion else { return nil }
        var usage = Usage(promptTokens: prompt, completionTokens: completion)
        usage.tellPrompt(cached: cached, written: written)
        usage.reasoningTokens = reasoning
        return usage
    }

    mutating func take(_ told: JSONValue) {
        prompt = told["prompt_tokens"]?.tokens ?? prompt
        completion = told["completion_tokens"]?.tokens ?? completion
        let details = told["prompt_tokens_details"]
        cached = details?["cached_tokens"]?.tokens ?? told["prompt_cache_hit_tokens"]?.tokens ?? cached
        written = details?["cache_write_tokens"]?.tokens ?? written
        reasoning = told["completion_tokens_details"]?["reasoning_tokens"]?.tokens ?? reasoning
    }
}

extension JSONValue {
    /// It has all numbers that OpenAI's clients expect.
    var isWholeUsage: Bool {
        self["prompt_tokens"]?.integer != nil && self["completion_tokens"]?.integer != nil
            && self["total_tokens"]?.integer != nil
    }
}

extension Usage {
    /// Both are parts of the prompt.
    mutating func tellPrompt(cached: Int, written: Int) {
        cachedTokens = min(promptTokens, cached)
        cacheWriteTokens = min(promptTokens - cachedTokens, written)
    }
}
