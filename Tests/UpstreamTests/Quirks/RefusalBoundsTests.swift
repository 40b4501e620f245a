import Support
import Testing

@testable import Upstream

/// Refusals of numbers that are too large, in the words of many servers.
@Suite struct RefusalBoundsTests {
    /// Returns what the refusal of a request with one number shows.
    private static func text(_ message: String, _ given: Int, at field: String = "max_tokens") -> String {
        RefusalFormsTests.text(
            RefusalFormsTests.finding(message, of: RefusalFormsTests.request("\"\(field)\":\(given)"))
        )
    }

    @Test(
        "a limit of tokens is lowered to the server's bound",
        arguments: [
            "maxOutputTokens value of 32000 but the supported range is from 1 (inclusive) to 8193 (exclusive).",
            "max_tokens=32000 cannot be greater than max_model_len=max_total_tokens=8192. Please request fewer.",
            "Malformed input request: #/max_tokens: 32000 is not less or equal to 8192, please reformat your input",
            "The maximum tokens you requested exceeds the model limit of 8192. Try again with a lower value.",
            "max_new_tokens must be less than or equal to 8192, got 32000.",
            "Input validation error: `max_new_tokens` must be <= 8192. Given: 32000",
            "max_tokens must be between 256 and 8192", "max_tokens: the range is 1~8192",
            "`max_tokens` should be less than or equal to 8192, 32000 given",
            "max_tokens 32000 exceeds limit 8192 of this model",
            "Expected max_tokens in the range [1, 8193), not 32000",
        ]
    )
    func bounds(_ message: String) {
        #expect(Self.text(message, 32_000) == "max_tokens atMost(8192)")
        let other = Self.text(
            message.replacing("max_tokens", with: "max_completion_tokens"),
            32_000,
            at: "max_completion_tokens"
        )
        #expect(other == "max_completion_tokens atMost(8192)")
        // Words of the prompt are no bound.
        let quoting = #"{"model":"m","messages":[{"role":"user","content":"\#(message)"}],"max_tokens":32000}"#
        #expect(RefusalFormsTests.finding("Cannot read '\(message)'", of: quoting) == nil)
    }

    @Test(
        "a number that is no bound is not one",
        arguments: [
            (
                "maxOutputTokens: the supported range is from 1 (inclusive) to 8193 (exclusive)", 8_193,
                "max_tokens atMost(8192)"
            ),
            ("max_tokens must be between 256 and 8192", 100, "nothing"),
            ("max_tokens must be between 256 and 8192, 512 at best", 300, "nothing"),
            ("max_tokens must be in the range [1024, 8192]", 4_000, "nothing"),
            ("Error 400: max_tokens must be in the range 1024 to 8192", 500, "nothing"),
            ("prompt_tokens (100) must be less than max_seq_len (32768) - max_tokens", 32_000, "nothing"),
            ("max_tokens must be at most 8 times the prompt", 9_000, "nothing"),
            ("max_tokens exceeds the limit, see section 2", 9_000, "nothing"),
            (
                "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 5 instead.", 5,
                "nothing"
            ),
            ("max_input_tokens must be at most 4096", 9_000, "nothing"),
            ("max_total_tokens must be at most 4096", 9_000, "nothing"),
        ]
    )
    func others(_ message: String, _ given: Int, _ wanted: String) { #expect(Self.text(message, given) == wanted) }

    @Test("other limits may be low") func lowLimits() {
        #expect(Self.text("top_k must be between 1 and 5", 9, at: "top_k") == "top_k atMost(5)")
        #expect(Self.text("top_logprobs must be in [0, 6)", 9, at: "top_logprobs") == "top_logprobs atMost(5)")
    }

    @Test(
        "what the context window leaves",
        arguments: [
            // vLLM (four).
            (
                "This model's maximum context length is 8192 tokens. However, you requested 32500 tokens (500 in the messages, 32000 in the completion).",
                7_692
            ),
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 8192 tokens and your request has 500 input tokens (32000 > 8192 - 500).",
                7_692
            ),
            (
                "You passed 500 input tokens and requested 32000 output tokens. However, the model's context length is only 8192 tokens, resulting in a maximum input length of 0 tokens. (parameter=input_tokens, value=500)",
                7_692
            ),
            (
                "You passed 3073 input tokens and requested 32000 output tokens. However, the model's context length is only 34000 tokens, resulting in a maximum input length of 2000 tokens.",
                30_927
            ),
            // The request asks for the whole window.
            (
                "This model's maximum context length is 32000 tokens. However, you requested 32500 tokens (500 in the messages, 32000 in the completion).",
                31_500
            ),
            // The sum alone: Together, Cloudflare, SiliconFlow.
            (
                "This model's maximum context length is 8192 tokens. However, you requested 32500 tokens (32000 in the completion). Please reduce the length of the completion.",
                7_692
            ),
            (
                "AiError: The estimated number of input and maximum output tokens (32500) exceeded this model context window limit (8192).",
                7_692
            ), ("max_total_tokens (33267) must be less than or equal to max_seq_len (32768)", 31_501),
            // The sum has three parts (OpenRouter).
            (
                "This endpoint's maximum context length is 40000 tokens. However, you requested about 44000 tokens (10000 of text input, 2000 of tool input, 32000 in the output).",
                28_000
            ),
            // SGLang, Text Generation Inference, Anthropic, Fireworks, Baseten.
            (
                "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 33000 tokens: 1000 tokens from the input messages and 32000 tokens for the completion.",
                7_192
            ),
            (
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 500 `inputs` tokens and 32000 `max_new_tokens`",
                7_692
            ),
            (
                "input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000, decrease input length",
                11_760
            ),
            (
                "The sum of prompt length (500) and max_tokens (32000) must not exceed the model context length (8192).",
                7_692
            ), ("Sum of prompt tokens (500) and max_tokens (32000) exceeds the model limit of 8192", 7_692),
        ]
    )
    func windows(_ message: String, _ left: Int) {
        #expect(Self.text(message, 32_000) == "max_tokens atMost(\(left)) once")
    }

    @Test(
        "a prompt that does not fit alone leaves nothing",
        arguments: [
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            "This model's maximum context length is 8192 tokens. However, you requested 13000 tokens (9000 in the messages, 4000 in the completion).",
            "You passed 9000 input tokens and requested 4000 output tokens. However, the model's context length is only 8192 tokens, resulting in a maximum input length of 4192 tokens.",
            "The prompt is too long: 9000, model maximum context length: 8192",
            "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length",
            "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
            "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        ]
    )
    func tooLong(_ message: String) { #expect(Self.text(message, 4_000) == "nothing") }

    @Test("any numbers are read") func anyNumbers() {
        var random = Seeded(5)
        let pieces = [
            "max_tokens", "context length", "limit", "input", "output tokens", "range", "less than", "to", "and",
            "(exclusive)",
            ", ", ")", "+", "-", "0", "1", "-1", "8192", "32000", "40192", "9223372036854775807",
            "-9223372036854775808",
            "999999999999999999",
        ]
        for _ in 0..<2_000 {
            let message = (0..<random.below(12)).map { _ in pieces[random.below(pieces.count)] }.joined(separator: " ")
            for given in [-1, 0, 1, 32_000, 999_999_999_999_999_999] {
                let text = Self.text(message, given)
                #expect(
                    text == "nothing" || text.hasPrefix("max_tokens atMost(") || text.hasPrefix("-max_tokens"),
                    "\(message)"
                )
            }
        }
    }
}
