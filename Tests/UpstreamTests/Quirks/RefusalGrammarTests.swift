import Engine
import Testing

@testable import Upstream

/// Refusals of optional fields in the words of many servers.
@Suite struct RefusalGrammarTests {
    enum API: CaseIterable {
        case chat
        case messages
        case responses

        var prompt: String {
            switch self {
            case .chat: #""model":"m","messages":[{"role":"user","content":"TEXT"}]"#
            case .messages:
                #""model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"TEXT"}]}]"#
            case .responses:
                #""model":"m","store":false,"input":[{"role":"user","content":[{"type":"input_text","text":"TEXT"}]}]"#
            }
        }
    }

    /// The places of the field in a message: alone, behind or before other words, alone beside a `param` that names no
    /// field, or in `param` only.
    private static let places: [@Sendable (String) -> String] = [
        { $0 }, { "Bad request to the engine: \($0)" }, { "\($0). The reference has a list of all fields." },
        { $0 }, { $0 }, { _ in "Extra inputs are not permitted" },
    ]
    private static let params = [nil, nil, nil, "", "invalid_parameter_error"]
    private static let wordings: [@Sendable (String) -> String] = [
        { "Unknown parameter: '\($0)'." }, { "Unrecognized request argument supplied: \($0)" },
        { "property '\($0)' is unsupported, did you mean 'messages'?" }, { "\($0): Extra inputs are not permitted" },
        { "`\($0)` is not supported by this engine" },
        { "Completions.create() got an unexpected keyword argument '\($0)'" }, { "Unsupported param: \($0)" },
        { "json: unknown field \"\($0)\"" },
    ]
    private static let fields = [
        "top_p", "presence_penalty", "frequency_penalty", "user", "service_tier", "parallel_tool_calls",
        "prompt_cache_key", "prompt_cache_retention", "verbosity", "safety_identifier", "top_k", "min_p",
        "repetition_penalty", "chat_template_kwargs", "enable_thinking", "provider", "transforms", "lane",
        "include_reasoning", "guided_json", "mirostat", "cache_prompt", "num_ctx", "options", "keep_alive",
        "typical_p", "seed_mode", "best_effort", "plugins", "safe_prompt", "usage", "ignore_eos", "session_id",
        "extra_body", "reasoning_format", "truncation", "include", "max_tool_calls", "container", "context_hints",
    ]

    private static func body(_ api: API, _ names: [String], text: String = "Is it supported?") -> Body {
        let text = text.replacing("\"", with: "\\\"")
        let members = [api.prompt.replacing("TEXT", with: text)] + names.map { "\"\($0)\":{\"a\":1.50}" }
        return Body(ByteBuffer("{\(members.joined(separator: ","))}"))
    }

    /// Returns what the refusal of a request shows.
    private static func finding(_ api: API, _ message: String, param: String? = nil, of request: Body) -> QuirkFinding?
    {
        let message = message.replacing("\"", with: "\\\"")
        let named = param.map { #","param":"\#($0)""# } ?? ""
        let json = ByteBuffer(#"{"error":{"message":"\#(message)","type":"invalid_request_error"\#(named)}}"#)
        let reader = ErrorResponseReader(JSONParser(), VendorError.openAI, namesFields: true)
        let head = UpstreamHead(status: 400, isEventStream: false, retryAfterSeconds: nil)
        guard let refusal = reader.refusal(head, json.bytes, of: RefusedRequest(request), known: []) else { return nil }
        return api == .messages ? refusal.finding(among: refusal.findingsOfMessages) : refusal.findingOfOpenAI
    }

    @Test("the refused field is left out, and all else stays as it was", arguments: API.allCases)
    func grammar(_ api: API) {
        var wrong: [String] = []
        for (index, name) in Self.fields.enumerated() {
            let others = [Self.fields[(index + 7) % 40], Self.fields[(index + 19) % 40]]
            let (request, wanted) = (Self.body(api, [others[0], name, others[1]]), Self.body(api, others))
            for wording in Self.wordings {
                for (place, words) in Self.places.enumerated() {
                    let message = words(wording(name))
                    let found = Self.finding(api, message, param: place < 5 ? Self.params[place] : name, of: request)
                    let changed = found?.changes.reduce(request) { $1.applied(to: $0) }
                    let isRight = changed?.bytes.equals(wanted.bytes) ?? false
                    if !isRight || found?.isLasting != true || found?.quirks.named.isEmpty != true {
                        wrong.append(message)
                    }
                }
            }
        }
        #expect(wrong == [])
    }

    @Test(
        "a param that names no field of the request does not hide the words",
        arguments: [
            (
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", #""max_tokens":9"#,
                "max_tokens rename(\"max_completion_tokens\")"
            ),
            ("'n' : number must be at most 1", #""n":2"#, "n"),
            ("reasoning_effort is not supported", #""reasoning_effort":"low""#, "-reasoning_effort"),
            (
                "The tool_choice parameter does not support being set to required or object in thinking mode",
                #""tools":[],"tool_choice":"required""#, "tool_choice required"
            ),
        ]
    )
    func params(_ message: String, _ members: String, _ wanted: String) {
        let request = Body(ByteBuffer(RefusalFormsTests.request(members)))
        for param in ["", "body", "request_body", "invalid_parameter_error", "quota", "max_output_tokens"] {
            let found = Self.finding(.chat, message, param: param, of: request)
            #expect(RefusalFormsTests.text(found) == wanted, "\(param)")
        }
        // A field that the request has counts before the words.
        for param in ["messages[0].content", "model"] {
            #expect(Self.finding(.chat, message, param: param, of: request) == nil, "\(param)")
        }
    }

    @Test("a message that repeats such words of the request teaches nothing", arguments: API.allCases)
    func quotes(_ api: API) {
        var wrong: [String] = []
        for (index, name) in Self.fields.enumerated() {
            let text = "Tell me why it says: \(Self.wordings[index % 8](name)) and what I should do"
            let request = Self.body(api, [name], text: text)
            let messages = ["The text '\(text)' cannot be read", "The prompt was not read, because of: \(text)"]
            wrong += messages.filter { Self.finding(api, $0, of: request) != nil }
        }
        #expect(wrong == [])
    }
}
