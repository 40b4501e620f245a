import Calls
import Engine
import Shared

extension MemberScanner {
    /// Returns the usage that the vendor reported; nil if it reported none.
    func usage(_ parser: JSONParser) -> Usage? {
        guard !usage.isEmpty, let told = try? parser.parse(usage.bytes) else { return nil }
        return UsageBounds().checked(Usage(ofForwarded: told))
    }

    /// Returns an object with the `error` that the vendor reported; nil if it reported none.
    func failure() -> ByteBuffer? {
        guard !error.isEmpty else { return nil }
        var told = ByteBuffer()
        told.append(#"{"error":"#)
        told.append(error.bytes)
        told.append("}")
        return told
    }
}

extension Usage {
    /// Reads the usage with the field names of chat, embeddings, images or transcriptions; nil if it contains no
    /// tokens.
    fileprivate init?(ofForwarded told: JSONValue) {
        let completion = told["completion_tokens"]?.reportedTokens ?? told["output_tokens"]?.reportedTokens ?? 0
        // Some servers report the sum only.
        let rest = told["total_tokens"]?.reportedTokens.map { max(0, $0 - completion) }
        guard let prompt = told["prompt_tokens"]?.reportedTokens ?? told["input_tokens"]?.reportedTokens ?? rest else {
            return nil
        }
        self.init(promptTokens: prompt, completionTokens: completion)
        let details = told["prompt_tokens_details"] ?? told["input_tokens_details"]
        tellPrompt(
            cached: details?["cached_tokens"]?.tokens ?? 0,
            written: details?["cache_write_tokens"]?.tokens ?? 0
        )
        let others = told["completion_tokens_details"] ?? told["output_tokens_details"]
        reasoningTokens = min(completion, others?["reasoning_tokens"]?.tokens ?? 0)
    }
}
