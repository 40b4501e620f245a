import Engine
import Shared

/// The token counts that a server reports. They are cumulative: of several reports of one count, the largest wins.
struct UsageCounts {
    private var prompt: Int?
    private var completion: Int?
    private var total: Int?
    private var cached = 0
    private var written = 0
    private var writtenLong = 0
    private var reasoning = 0
    /// The counts that few vendors report.
    private var rare = Usage.nothing

    /// The usage; nil if the vendor has reported neither prompt tokens nor completion tokens.
    var usage: Usage? {
        guard let tokens = Usage(promptTokens: prompt, completionTokens: completion, totalTokens: total) else {
            return nil
        }
        var usage = rare
        (usage.promptTokens, usage.completionTokens) = (tokens.promptTokens, tokens.completionTokens)
        if let completion { usage.completionTokens += reasoningBlocks(beside: completion, usage.promptTokens) }
        usage.recordPrompt(cached: cached, written: written, long: writtenLong)
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

    /// Records the service tier that a chunk or response names.
    mutating func read(tier: JSONValue?) {
        if let word = tier?.text { rare.serviceTier = ServiceTier(word: word) }
    }

    /// Reads a report. Returns whether its numbers of prompt and completion tokens are the largest so far.
    mutating func read(_ reported: JSONValue) -> Bool {
        // Some servers have the names of the Responses API.
        let reportedPrompt = (reported["prompt_tokens"] ?? reported["input_tokens"])?.reportedTokens
        let reportedCompletion = (reported["completion_tokens"] ?? reported["output_tokens"])?.reportedTokens
        prompt.raise(to: reportedPrompt)
        completion.raise(to: reportedCompletion)
        total.raise(to: reported["total_tokens"]?.tokens)
        let details = reported["prompt_tokens_details"]
        cached = max(cached, reported.cachedTokens(details))
        written = max(written, reported.cacheWriteTokens(details))
        if written > 0 { writtenLong = max(writtenLong, reported.longCacheWriteTokens(details)) }
        let others = reported["completion_tokens_details"]
        reasoning = max(reasoning, others?["reasoning_tokens"]?.tokens ?? 0)
        rare.readAudio(prompt: details, completion: others)
        rare.readCost(reported)
        return prompt == reportedPrompt && completion == reportedCompletion
    }
}

extension JSONValue {
    /// Returns how many prompt tokens a `usage` reports as read from the vendor's cache, in the names of all servers.
    /// - Parameter details: OpenAI's member with the details of the prompt; nil if there is none.
    func cachedTokens(_ details: JSONValue?) -> Int {
        if let tokens = details?["cached_tokens"]?.tokens { return tokens }
        if let tokens = self["input_tokens_details"]?["cached_tokens"]?.tokens { return tokens }
        for name: StaticString in [
            "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens",
        ] {
            if let tokens = self[name]?.tokens { return tokens }
        }
        return 0
    }

    /// Returns how many prompt tokens a `usage` reports as written to the vendor's cache.
    func cacheWriteTokens(_ details: JSONValue?) -> Int {
        details?["cache_write_tokens"]?.tokens ?? self["cache_creation_input_tokens"]?.tokens ?? 0
    }

    /// Returns how many prompt tokens a `usage` reports as written for longer than five minutes.
    func longCacheWriteTokens(_ details: JSONValue?) -> Int {
        let name: StaticString = "cache_write_tokens_details"
        let parts = (details?[name] ?? self[name])?.members ?? []
        return parts.reduce(0) {
            $0 + ($1.name.hasPrefix("ttl_") && $1.name != "ttl_5m_tokens" ? $1.value.tokens ?? 0 : 0)
        }
    }

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
    /// - Parameter long: the written tokens that are kept for longer than five minutes.
    mutating func recordPrompt(cached: Int, written: Int, long: Int = 0) {
        cachedTokens = min(promptTokens, cached)
        cacheWriteTokens = min(promptTokens - cachedTokens, written)
        longCacheWriteTokens = min(cacheWriteTokens, long)
    }

    /// Raises the audio tokens to those in the details of a report.
    mutating func readAudio(prompt: JSONValue?, completion: JSONValue?) {
        if let tokens = prompt?["audio_tokens"]?.tokens, tokens > audioPromptTokens { audioPromptTokens = tokens }
        if let tokens = prompt?["cached_tokens_details"]?["audio_tokens"]?.tokens, tokens > cachedAudioTokens {
            cachedAudioTokens = tokens
        }
        if let tokens = completion?["audio_tokens"]?.tokens, tokens > audioCompletionTokens {
            audioCompletionTokens = tokens
        }
    }

    /// Reads the cost (a number of dollars at OpenRouter, an object at Perplexity) and the uses of hosted tools.
    mutating func readCost(_ reported: JSONValue) {
        if let cost = reported["cost"] {
            let dollars = cost.number ?? cost["total_cost"]?.number
            if let dollars, (0...Self.maxReportedDollars).contains(dollars) {
                reportedCost = max(reportedCost ?? .nothing, Cost(picodollars: Int((dollars * 1e12).rounded())))
            }
        }
        if let uses = reported["server_tool_use"] { toolUses.raise(to: uses) }
    }

    /// The largest plausible cost of a call in dollars. Larger reported costs are ignored.
    private static let maxReportedDollars = 10_000.0
}

extension ToolUses {
    /// Raises the uses to those in a vendor's `server_tool_use`.
    mutating func raise(to reported: JSONValue) {
        for tool in HostedTool.allCases {
            // A number that is too large for a number of tokens is lowered, as all impossible numbers of uses are.
            guard let count = reported[tool.countName]?.number, count > 0 else { continue }
            self[tool] = max(self[tool], Int(min(count, Double(UInt16.max))))
        }
    }
}
