import Engine
import Shared

/// The token counts that a server reports. They are cumulative: of several reports of one count, the largest wins.
struct UsageCounts {
    private var prompt: Int?
    private var completion: Int?
    private var total: Int?
    private var cached = 0
    private var written = 0
    private var reasoning = 0

    /// The usage; nil if the vendor has not reported both prompt tokens and completion tokens.
    var usage: Usage? {
        guard let prompt, let completion else { return nil }
        var usage = Usage(
            promptTokens: prompt,
            completionTokens: completion + reasoningBlocks(beside: completion, prompt)
        )
        usage.recordPrompt(cached: cached, written: written)
        usage.reasoningTokens = reasoning
        return usage
    }

    /// Returns the number of reasoning tokens that the vendor did not include in the completion tokens.
    private func reasoningBlocks(beside completion: Int, _ prompt: Int) -> Int {
        guard let total else { return reasoning > completion ? reasoning : 0 }
        // xAI and some servers that translate Gemini's counts exclude reasoning from completion tokens.
        let rest = max(0, total - prompt - completion)
        // Other servers leave cached tokens out of the prompt.
        return rest == cached + written ? 0 : rest
    }

    /// Reads a report. Returns whether its numbers of prompt and completion tokens are the largest so far.
    mutating func read(_ reported: JSONValue) -> Bool {
        prompt.raise(to: reported["prompt_tokens"]?.reportedTokens)
        completion.raise(to: reported["completion_tokens"]?.reportedTokens)
        total.raise(to: reported["total_tokens"]?.tokens)
        let details = reported["prompt_tokens_details"]
        cached = max(cached, details?["cached_tokens"]?.tokens ?? reported["prompt_cache_hit_tokens"]?.tokens ?? 0)
        written = max(written, details?["cache_write_tokens"]?.tokens ?? 0)
        reasoning = max(reasoning, reported["completion_tokens_details"]?["reasoning_tokens"]?.tokens ?? 0)
        return prompt == reported["prompt_tokens"]?.reportedTokens
            && completion == reported["completion_tokens"]?.reportedTokens
    }
}

extension JSONValue {
    /// Whether this `usage` contains prompt, completion and total tokens, and the total is their sum.
    var isWholeUsage: Bool {
        guard let prompt = self["prompt_tokens"]?.integer, let completion = self["completion_tokens"]?.integer,
            let total = self["total_tokens"]?.integer
        else { return false }
        return prompt.addingReportingOverflow(completion) == (total, false)
    }
}

extension Usage {
    /// Records how many prompt tokens the vendor read from its cache (`cached`), and how many it wrote to its cache.
    mutating func recordPrompt(cached: Int, written: Int) {
        cachedTokens = min(promptTokens, cached)
        cacheWriteTokens = min(promptTokens - cachedTokens, written)
    }
}
