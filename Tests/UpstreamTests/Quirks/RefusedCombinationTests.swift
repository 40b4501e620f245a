import Engine
import Testing

@testable import Upstream

@Suite struct RefusedCombinationTests {
    private static let values = [
        "temperature": "0.5", "top_p": "0.5", "presence_penalty": "1", "frequency_penalty": "1", "max_tokens": "9",
        "max_completion_tokens": "9", "stop": #"["x"]"#, "n": "2", "seed": "3", "stream": "true", "store": "true",
        "stream_options": #"{"include_usage":true}"#, "logit_bias": #"{"1":1}"#, "logprobs": "true",
        "top_logprobs": "2", "tools": "[]", "tool_choice": #""required""#, "parallel_tool_calls": "false",
        "response_format": #"{"type":"json_object"}"#, "reasoning_effort": #""low""#, "verbosity": #""low""#,
        "user": #""u""#, "service_tier": #""flex""#, "prompt_cache_key": #""k""#, "safety_identifier": #""s""#,
        "metadata": #"{"a":"b"}"#, "prediction": "{}", "modalities": #"["text"]"#,
        "thinking": #"{"type":"enabled","budget_tokens":2048}"#, "top_k": "4",
    ]
    private static let wordings: [@Sendable (String, String) -> String] = [
        { "Unsupported parameter: '\($0)' is not supported when '\($1)' is set." },
        { "`\($0)` cannot be used with \($1) in this model." }, { "\($0) may only be set to 1 when \($1) is enabled." },
        { "\($0) and \($1) cannot both be specified for this model" }, { "\($0) is incompatible with `\($1)`" },
        { "With \($1) set, \($0) is not supported. Use 'top_a' instead." },
        { "\($0) is not allowed together with \($1)" }, { "\($0): not permitted if \"\($1)\" is given" },
        { "The parameters '\($0)' and '\($1)' are mutually exclusive, so that \($0) is not supported." },
        { "You may not send \($0), which is unsupported while \($1) is sent with this endpoint" },
    ]

    private static func body(_ fields: [String]) -> Body {
        let members = fields.map { "\"\($0)\":\(values[$0] ?? "null")" }
        return Body(
            ByteBuffer(
                "{\(([#""model":"m""#, #""messages":[{"role":"user","content":"Hi"}]"#] + members).joined(separator: ","))}"
            )
        )
    }

    /// Returns the finding for a refused request of these fields that is sent again without the first one.
    private static func finding(_ words: String, _ fields: [String]) -> QuirkFinding {
        let (request, changed) = (body(fields), body(Array(fields.dropFirst())))
        return withExtendedLifetime((request, changed)) {
            RefusedCombination(RefusalWords(words, of: request.bytes), of: RawJSON(request.bytes))
                .scoped(QuirkFinding(.joinedContent), changed: RawJSON(changed.bytes))
        }
    }

    private static func concerns(_ finding: QuirkFinding, _ fields: [String]) -> Bool {
        let request = body(fields)
        return withExtendedLifetime(request) { finding.isLasting && finding.concerns(RawJSON(request.bytes)) }
    }

    @Test("a refused pair of fields changes later requests with the pair only") func pairs() {
        var wrong: [String] = []
        for (one, _) in Self.values {
            for (other, _) in Self.values where one != other {
                for wording in Self.wordings {
                    let words = wording(one, other)
                    let finding = Self.finding(words, [one, other])
                    if Self.concerns(finding, [one]) || !Self.concerns(finding, [one, other, "top_a"]) {
                        wrong.append(words)
                    }
                }
            }
        }
        #expect(wrong == [])
    }

    @Test(
        "what is refused for the model holds for all requests",
        arguments: [
            "Unsupported parameter: 'temperature' is not supported with this model. Use 'top_p' instead.",
            "temperature is not supported with gpt-5.1", "temperature cannot be used with your account",
            "temperature is not supported when using this endpoint", "temperature is deprecated for this model",
            "temperature is incompatible with this model.", "temperature is not supported. If you need it, ask us.",
            "The tools endpoint does not support temperature", "This thinking model does not support temperature",
            "temperature must be a-z, with a length of 9", "Unsupported: temperature; use thinking with tools",
        ]
    )
    func unconditional(words: String) {
        let finding = Self.finding(words, ["temperature", "top_p", "tools"])
        #expect(finding.isLasting && finding.isUnconditional)
    }

    @Test(
        "a plain word names a field, which the request may lack",
        arguments: [
            ("temperature may only be set to 1 when thinking is enabled", "thinking"),
            ("temperature is not supported in thinking mode", "thinking"),
            ("temperature cannot be used with reasoning", "reasoning_effort"),
            ("temperature is not supported in JSON mode", "response_format"),
            ("temperature is not supported while streaming", "stream"),
            ("temperature is not supported with tool choice", "tool_choice"),
            ("Thinking mode does not support this temperature", "thinking"),
            ("Streaming does not support temperature", "stream"),
            ("JSON mode doesn't allow temperature", "response_format"),
        ]
    )
    func plainWords(words: String, other: String) {
        let beside = Self.finding(words, ["temperature", other])
        #expect(Self.concerns(beside, ["temperature", other]) && !Self.concerns(beside, ["temperature", "seed"]))
        let lacking = Self.finding(words, ["temperature"])
        #expect(!Self.concerns(lacking, ["temperature", other]) && Self.concerns(lacking, ["temperature", "seed"]))
    }

    @Test(
        "a condition without a known field changes one request only",
        arguments: ["temperature is not supported when the moon is full", "temperature is refused in quiet mode"]
    )
    func unknownConditions(words: String) { #expect(!Self.finding(words, ["temperature", "top_p"]).isLasting) }

    @Test("an ability that is lacking beside another field is remembered beside it") func abilities() {
        let request = Self.body(["tools", "tool_choice", "thinking"])
        func scoped(_ words: String) -> QuirkFinding {
            withExtendedLifetime(request) {
                RefusedCombination(RefusalWords(words, of: request.bytes), of: RawJSON(request.bytes))
                    .scoped(QuirkFinding(.noForcing), changed: nil)
            }
        }
        for words in [
            "Thinking may not be enabled when tool_choice forces tool use.",
            "tool_choice required is not supported in thinking mode", "Thinking mode does not support this tool_choice",
        ] {
            #expect(scoped(words).isLasting && scoped(words).beside?.text == "with thinking=enabled", "\(words)")
        }
        #expect(!scoped("tool_choice required is not supported in quiet mode").isLasting)
        #expect(scoped("tool_choice 'any' is not supported with this model").isLasting)
    }
}
