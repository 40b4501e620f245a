package import Engine
package import Shared

extension Usage {
    /// Appends the usage as JSON, in the form of chat completions: `{"prompt_tokens":...}`.
    package func appendJSON(to body: inout ByteBuffer) {
        body.append(#"{"prompt_tokens":"#, decimal: promptTokens)
        body.append(#","completion_tokens":"#, decimal: completionTokens)
        body.append(#","total_tokens":"#, decimal: totalTokens)
        if cachedTokens > 0 || cacheWriteTokens > 0 {
            body.append(#","prompt_tokens_details":{"cached_tokens":"#, decimal: cachedTokens)
            if cacheWriteTokens > 0 { body.append(#","cache_write_tokens":"#, decimal: cacheWriteTokens) }
            body.append("}")
        }
        if reasoningTokens > 0 {
            body.append(#","completion_tokens_details":{"reasoning_tokens":"#, decimal: reasoningTokens)
            body.append("}")
        }
        body.append("}")
    }
}
