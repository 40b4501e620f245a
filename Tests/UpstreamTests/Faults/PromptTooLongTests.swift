import Testing

@testable import Upstream

@Suite struct PromptTooLongTests {
    @Test(
        "each vendor's words for a prompt that is too long are understood",
        arguments: [
            "prompt is too long: 213462 tokens > 200000 maximum",
            "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000",
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            "Invalid request: Your request exceeded model token limit: 262144",
            "invalid params, context window exceeds limit (2013)",
            "Prompt exceeds max length",
            "Prompt 超长", "输入内容长度超过模型最大上下文长度限制：需要140000，最大131072",
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]",
            "prompt token count of 132443 exceeds the limit of 128000",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "the input token count is 20 but model only supports up to 10.",
            "Input is too long for requested model.",
            "request (4476 tokens) exceeds the available context size (4096 tokens)",
            "The number of tokens to keep from the initial prompt is greater than the context length",
            "the model is loaded with context length of only 4096 tokens",
            "The input (300 tokens) is longer than the model's context length (200 tokens).",
            "The decoder prompt (length 20) is longer than the maximum model length of 10.",
            "prompt too long; exceeded max context length by 4 tokens",
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            "Input length 99 exceeds the maximum allowed input length of 10 tokens",
            "Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)",
            "length of prompt_tokens (40961) must be less than max_seq_len (32768)",
            "Input length 131073 exceeds the maximum length 131072",
            "Prompt length (40000) exceeds maximum input length (32768).",
            "`inputs` must have less than 4096 tokens. Given: 5000", "Too many tokens in the prompt: 40000 > 32768",
            "Total message token length exceed model limit (10000000 tokens).",
            "tokens in request more than max tokens allowed",
        ]
    )
    func words(said: String) { #expect(PhraseMatcher(said).saysPromptTooLong) }

    @Test(
        "other refusals are not",
        arguments: [
            "max_tokens: 64000 > 32000, which is the maximum allowed number of output tokens",
            "messages.1.content: image exceeds 5 MB maximum",
            "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64",
            "Limit of input tokens per minute exceeded: 40000 > 30000", "Input should be less than 1",
            "top_k: 900 > 500", "max_tokens is more than max tokens allowed",
            "This model supports at most 5000 completion tokens, whereas you provided 9000",
            "too many tokens per minute, the limit is 30000", "context is not supported", "Invalid value: 'x'", "",
        ]
    )
    func otherWords(said: String) { #expect(!PhraseMatcher(said).saysPromptTooLong) }
}
