import Engine

/// The meaning of the word with which a vendor ends a response. All kinds share one table, and ignore letter case.
enum FinishWord: Equatable {
    case reason(FinishReason)
    /// The response failed, although the vendor sent it with a successful status.
    case failed
    case unknown

    init(_ word: UnsafeRawBufferPointer) {
        guard !word.equals("stop"), word.count <= Self.limitBytes else {
            self = word.count <= Self.limitBytes ? .reason(.stop) : .unknown
            return
        }
        self =
            Self.table[word.text] ?? Self.table[word.trimmed.text.lowercased()]
            ?? (Self.failures.contains { word.hasPrefix($0) } ? .failed : .unknown)
    }

    private static let limitBytes = 64
    /// The beginnings of words for failures of which the table has not each.
    private static let failures: [StaticString] = ["function_call_filter", "error_", "ERROR_"]
    private static let table: [String: FinishWord] = {
        let words: [(FinishWord, String)] = [
            (.reason(.stop), "stop eos eos_token end_turn complete completed stop_sequence"),
            (
                .reason(.length),
                "length max_length model_length max_tokens max_output_tokens model_context_window_exceeded continuation"
            ),
            (.reason(.toolCalls), "tool_calls tool_call tool_use function_call"),
            (
                .reason(.contentFilter),
                """
                content_filter content_filtered safety sensitive recitation blocklist prohibited_content spii language \
                image_safety image_prohibited_content image_recitation model_armor escalation guardrail_intervened \
                error_toxic
                """
            ),
            (.reason(.refusal), "refusal"),
            (.reason(.pause), "pause_turn"),
            (
                .failed,
                """
                error abort network_error insufficient_system_resource timeout malformed_function_call \
                unexpected_tool_call malformed_response too_many_tool_calls other no_image image_other
                """
            ),
        ]
        var table: [String: FinishWord] = [:]
        for (meaning, list) in words {
            for word in list.split(separator: " ") { table[String(word)] = meaning }
        }
        return table
    }()
}

extension UpstreamError {
    /// Returns the error for a response that the vendor ended with a word of failure.
    static func ended(with word: UnsafeRawBufferPointer) -> UpstreamError {
        .invalidResponse("the vendor ended the response with \(word[part: 0..<min(64, word.count)].text)")
    }
}
