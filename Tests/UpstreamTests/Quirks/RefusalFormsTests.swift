import Engine
import Support
import Testing

@testable import Upstream

/// Refusals in the words of decoders and servers, and words that stand in the request.
@Suite struct RefusalFormsTests {
    private static func refusal(_ message: String, of body: Body, known: Set<Quirk> = []) -> Refusal? {
        let message = String(
            decoding: message.utf8.flatMap { byte -> [UInt8] in
                byte == 10 ? [92, 110] : byte == 34 || byte == 92 ? [92, byte] : [byte]
            },
            as: UTF8.self
        )
        let json = ByteBuffer(#"{"error":{"message":"\#(message)","type":"invalid_request_error"}}"#)
        let reader = ErrorResponseReader(JSONParser(), VendorError.openAI, namesFields: true)
        let head = UpstreamHead(status: 400, isEventStream: false, retryAfterSeconds: nil)
        return reader.refusal(head, json.bytes, of: RefusedRequest(body), known: known)
    }

    /// Returns what the refusal of a request shows.
    static func finding(_ message: String, isOfMessages: Bool = false, of request: String) -> QuirkFinding? {
        finding(message, of: request) {
            isOfMessages ? $0.finding(among: $0.findingsOfMessages) : $0.findingOfOpenAI
        }
    }

    /// Returns what the refusal of a request shows, by a vendor's own findings.
    static func finding(
        _ message: String,
        of request: String,
        known: Set<Quirk> = [],
        _ own: (Refusal) -> QuirkFinding?
    ) -> QuirkFinding? {
        let body = Body(ByteBuffer(request))
        guard let refusal = refusal(message, of: body, known: known) else { return nil }
        guard let found = refusal.findingOfWindow ?? own(refusal) else { return nil }
        let changed = found.applied(to: body)
        let isChanged = !changed.bytes.equals(body.bytes)
        return refusal.combination.scoped(found, changed: isChanged ? RawJSON(changed.bytes) : nil)
    }

    static func request(_ members: String) -> String {
        #"{"model":"m","messages":[{"role":"user","content":"Hi"}],\#(members)}"#
    }

    /// Returns what a finding changes, in one line.
    static func text(_ found: QuirkFinding?) -> String {
        guard let found else { return "nothing" }
        let changes = found.quirks.map { quirk -> String in
            guard case .field(let change) = quirk else { return quirk.name }
            return change.kind == .drop ? "-\(change.name)" : "\(change.name) \(change.kind)"
        }
        return (changes.sorted() + [found.beside?.text].compactMap(\.self) + (found.isLasting ? [] : ["once"])).joined(
            separator: " "
        )
    }

    @Test(
        "of a member of a message and a field of its name, the member is left out first",
        arguments: [
            "Unknown parameter: 'messages[0].NAME'.", "Unrecognized request argument supplied: NAME",
            "Additional properties are not allowed ('NAME' was unexpected)",
            "'messages.0' : for 'role:user' the following must be satisfied[('messages.0' : property 'NAME' is unsupported)]",
        ],
        ["response_format", "stop", "seed", "n", "max_tokens", "tools", "stream"]
    )
    func strayMembers(_ words: String, _ name: String) {
        let values = [
            "response_format": #"{"type":"json_object"}"#, "stop": #"["a"]"#, "tools": #"[{"type":"function"}]"#,
            "stream": "true",
        ]
        let field = #""\#(name)":\#(values[name] ?? "5")"#
        let request = Self.request(#""user":"u",\#(field)"#).replacing(#""Hi"}"#, with: #""Hi",\#(field)}"#)
        let message = words.replacing("NAME", with: name)
        #expect(Self.text(Self.finding(message, of: request)) == "-messages.\(name)")
        #expect(Self.text(Self.finding(message, isOfMessages: true, of: request)) == "-messages.\(name)")
    }

    @Test(
        "decoders' and servers' words for a refused field",
        arguments: [
            ("presencePenalty is not supported", #""presence_penalty":1"#, "-presence_penalty"),
            (
                "Argument not supported on this model: parallelToolCalls", #""parallel_tool_calls":true"#,
                "-parallel_tool_calls"
            ),
            ("unsupported parameters: logit_bias, top_k", #""logit_bias":{},"top_k":2"#, "-top_k"),
            (
                "unsupported parameters: verbosity, store, top_k", #""verbosity":"low","store":true,"top_k":2"#,
                "-store -top_k -verbosity"
            ),
            ("Unsupported parameters: [\"store\", \"metadata\"]", #""store":true,"metadata":{}"#, "-metadata -store"),
            ("temperature must be in [0, 1)", #""temperature":1.5"#, "nothing"),
            ("max_tokens must be in the range [1, 8193)", #""max_tokens":9000"#, "max_tokens atMost(8192)"),
            ("max_tokens must be in (0, 8192]", #""max_tokens":9000"#, "max_tokens atMost(8192)"),
            (
                "`logit_bias2` is not supported for streaming requests", #""logit_bias2":1,"stream":true"#,
                "-logit_bias2 with stream=true"
            ),
            ("top_k is only supported when stream=false", #""top_k":1,"stream":true"#, "-top_k with stream=true"),
            ("top_k is only supported when stream=False", #""top_k":1,"stream":true"#, "-top_k with stream=true"),
            ("echo=True is not supported", #""echo":true"#, "-echo once"),
            ("echo=None is not supported", #""echo":null"#, "-echo once"),
            ("echo is not supported as debugging is false here", #""echo":false"#, "-echo"),
            ("`store` is not supported if stream is true", #""store":true,"stream":true"#, "-store with stream=true"),
            ("When store is set, top_k is not supported", #""top_k":1,"store":true"#, "-top_k with store=true"),
            (
                "With store, verbosity and top_k are not supported", #""store":true,"verbosity":"low","top_k":1"#,
                "-top_k -verbosity with store=true"
            ),
            ("store does not support top_k", #""top_k":1,"store":true"#, "-top_k with store=true"),
            (
                "In thinking mode, top_k is not supported", #""thinking":{"type":"enabled"},"top_k":1"#,
                "-top_k with thinking=enabled"
            ),
            ("store must be None", #""store":true"#, "nothing"),
            (
                "<400> InternalError.Algo.InvalidParameter: The parameter enable_search is not supported",
                #""enable_search":true"#, "-enable_search"
            ),
            (
                "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
                #""max_tokens":9000"#, "max_tokens atMost(8192)"
            ),
            (
                "1 validation error for ChatCompletionRequest\nstore\n  Extra inputs are not permitted [type=extra_forbidden, input_value=True, input_type=bool]",
                #""store":true"#, "-store"
            ),
            (
                "[{'type': 'extra_forbidden', 'loc': ('body', 'store'), 'msg': 'Extra inputs are not permitted', 'input': True}]",
                #""store":true"#, "-store"
            ),
            ("json: unknown field \"top_k\"", #""top_k":1"#, "-top_k"),
            (
                "Failed to deserialize the JSON body into the target type: unknown field `top_k`, expected one of `model`, `messages`, `top_p`, `user` at line 1 column 30",
                #""top_k":1,"top_p":0.5,"user":"u""#, "-top_k"
            ),
            ("Unrecognized key(s) in object: 'top_k'", #""top_k":1"#, "-top_k"),
            ("Unrecognized key(s) in object: 'top_k', 'store'", #""top_k":1,"store":true"#, "-store -top_k"),
            (
                "[{\"code\":\"unrecognized_keys\",\"keys\":[\"top_k\"],\"path\":[],\"message\":\"Unrecognized key(s) in object: 'top_k'\"}]",
                #""top_k":1"#, "-top_k"
            ),
            ("Unrecognized keys: \"top_k\", \"store\"", #""top_k":1,"store":true"#, "-store -top_k"),
            (
                "Unrecognized field \"top_k\" (class com.acme.ChatRequest), not marked as ignorable (3 known properties: \"user\", \"top_p\", \"model\"])",
                #""top_k":1,"user":"u","top_p":0.5"#, "-top_k"
            ),
            (
                "JSON parse error: Unrecognized field \"top_k\" (class com.acme.ChatRequest), not marked as ignorable",
                #""top_k":1"#, "-top_k"
            ),
            (
                "Additional properties are not allowed ('top_k', 'store' were unexpected)", #""top_k":1,"store":true"#,
                "-store -top_k"
            ),
            ("Invalid JSON payload received. Unknown name \"topK\": Cannot find field.", #""top_k":1"#, "-top_k"),
            ("property top_k should not exist", #""top_k":1"#, "-top_k"),
            (
                "Encountered an unknown key 'top_k' at offset 42 at path: $\nUse 'ignoreUnknownKeys = true' in 'Json {}' builder or '@JsonIgnoreUnknownKeys' annotation.",
                #""top_k":1"#, "-top_k"
            ),
            (
                "$.top_k: is not defined in the schema and the schema does not allow additional properties",
                #""top_k":1"#, "-top_k"
            ),
            ("The tool's schema with top_k: does not allow additional properties", #""top_k":1"#, "nothing"),
            ("Unsupport parameter enable_search, please check.", #""enable_search":true"#, "-enable_search"),
            ("found unpermitted parameter: :top_k", #""top_k":1,"user":"u""#, "-top_k"),
            (
                "The JSON property 'top_k' could not be mapped to any .NET member contained in type 'ChatRequest'.",
                #""top_k":1"#, "-top_k"
            ),
            ("The model is unsupported for streaming.", #""stream":true"#, "-stream -stream_options"),
            (
                "After the (optional) system message(s), user and assistant roles should be alternating.",
                #""top_k":1"#, "order of roles"
            ),
            ("An alternating role should be named", #""top_k":1"#, "nothing"),
            (
                "messages.1.content.1.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", #""top_k":1"#,
                "tool call ids"
            ),
            (
                "Invalid 'messages[1].tool_calls[0].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                #""top_k":1"#, "nothing"
            ),
            ("tools.0.custom.name: String should match pattern '^[a-z]+$'", #""top_k":1"#, "nothing"),
            (
                "Harmony does not support reasoning effort none", #""reasoning_effort":"none""#,
                #"reasoning_effort replace(Optional("none"), by: "\"low\"")"#
            ),
            (
                "It does not support reasoning effort minimal", #""reasoning_effort":"minimal""#,
                "-reasoning_effort once"
            ),
            (
                "invalid params, invalid thinking.type: \"enabled\" (allowed: adaptive, disabled) (2013)",
                #""thinking":{"type":"enabled","budget_tokens":2048}"#,
                #"thinking replace(Optional("enabled"), by: "{\"type\":\"adaptive\",\"display\":\"summarized\"}")"#
            ),
            ("invalid top_p: 3 (allowed: 0 to 2)", #""top_p":3"#, "-top_p once"),
            ("invalid temperature (allowed: 0 to 1)", #""temperature":3"#, "-temperature once"),
            (
                "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode.",
                #""top_p":0.5,"thinking":{"type":"enabled"}"#, "-top_p once"
            ),
            (
                "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
                #""tool_choice":{"type":"function","function":{"name":"f"}},"tools":[]"#, "tool_choice"
            ),
            (
                "json: cannot unmarshal object into Go struct field ChatCompletionRequest.tool_choice of type string",
                #""tool_choice":{"type":"function","function":{"name":"f"}},"tools":[]"#, "tool_choice"
            ),
            (
                "Cannot use custom grammar constraints with tools.",
                #""response_format":{"type":"json_schema"},"tools":[]"#, "json_schema with tools"
            ),
            (
                "json mode cannot be combined with tool/function calling",
                #""response_format":{"type":"json_object"},"tools":[]"#, "json_object with tools"
            ),
            (
                "Function calling with a response mime type: 'application/json' is unsupported",
                #""response_format":{"type":"json_object"},"tools":[]"#, "json_object with tools"
            ),
            (
                "Tool use with a response mime type: 'application/json' is unsupported",
                #""response_format":{"type":"json_schema"},"tools":[]"#, "json_schema with tools"
            ),
            (
                "A response mime type: 'application/json' is unsupported",
                #""response_format":{"type":"json_schema"},"tools":[]"#, "json_schema"
            ),
            (
                "You cannot specify response format and function call at the same time",
                #""response_format":{"type":"json_schema"},"tools":[]"#, "json_schema with tools"
            ),
            (
                "'response_format.type' : value is not one of the allowed values ['text','json_object']",
                #""response_format":{"type":"json_schema"}"#, "json_schema"
            ),
            (
                "'response_format.json_schema.schema.type' : value is not one of the allowed values ['object']",
                #""response_format":{"type":"json_schema"}"#, "json_schema once"
            ),
            (
                "Requested sample logprobs of 20, which is greater than max allowed: 5 (parameter=logprobs, value=20)",
                #""logprobs":true,"top_logprobs":20"#, "top_logprobs atMost(5)"
            ),
            ("logprobs is not supported", #""logprobs":true,"top_logprobs":20"#, "nothing"),
            (
                "Function tools with reasoning_effort are not supported for gpt-5.6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
                #""tools":[]"#, #"reasoning_effort set("\"none\"") with tools"#
            ),
            (
                "Function tools with reasoning_effort are not supported for gpt-5.6-sol in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
                #""reasoning_effort":"low","tools":[]"#,
                #"reasoning_effort replace(nil, by: "\"none\"") with tools"#
            ),
            ("This tool is not supported. See how to set reasoning_effort.", #""tools":[]"#, "nothing"),
            ("Penalty is not enabled for models/x", #""frequency_penalty":1"#, "-frequency_penalty -presence_penalty"),
            ("think value \"low\" is not supported for this model", #""reasoning_effort":"low""#, "-reasoning_effort"),
            (
                "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
                #""stop":["x"]"#, "stop"
            ),
            (
                "Reasoning is mandatory for this endpoint and cannot be disabled.", #""reasoning":{"enabled":false}"#,
                "reasoning.enabled dropUnless([\"true\"])"
            ),
            (
                "Reasoning is mandatory for this endpoint and cannot be disabled.", #""reasoning":{"effort":"low"}"#,
                "nothing"
            ),
            ("The text 'reasoning cannot be disabled' is bad", #""reasoning_effort":"none""#, "nothing"),
            ("Invalid image: only PNG is supported", #""user":"PNG","temperature":1"#, "nothing"),
            ("At most 3 images: only 3 is allowed", #""temperature":1,"n":2"#, "nothing"),
            ("The name of the person is unexpected. The message role is fine.", #""temperature":1"#, "nothing"),
            (
                "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
                #""tool_choice":"required","tools":[]"#, "tool_choice required"
            ),
            (
                "Value error, `tool_choice` must either be a named tool, \"auto\", or \"none\".",
                #""tool_choice":"required","tools":[]"#, "tool_choice required"
            ),
            ("toolConfig.toolChoice.any is a field", #""tool_choice":"required","tools":[]"#, "nothing"),
            ("when use tools, n should be 1", #""n":2,"tools":[]"#, "n with tools"),
            ("n should be below 5", #""n":6"#, "n once"),
            (
                "At body -> response_format -> type: Input should be 'json_schema' or 'regex'",
                #""response_format":{"type":"json_object"}"#, "json_object"
            ),
            (
                "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
                #""response_format":{"type":"json_schema"}"#, "json_schema"
            ),
            (
                "OpenAIException - Error code: 400 - {'error': {'message': \"Unsupported parameter: 'top_k' is not supported with this model.\", 'type': 'invalid_request_error', 'param': 'top_k'}}",
                #""top_k":2,"user":"u""#, "-top_k"
            ),
            ("{'message': 'top_k is not allowed', 'input': 'user is not allowed'}", #""top_k":2,"user":"u""#, "-top_k"),
            (
                "[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"store\"],\"msg\":\"Extra inputs are not permitted\",\"input\":true}]",
                #""store":true,"user":"u""#, "-store"
            ),
            (
                "litellm.UnsupportedParamsError: x does not support parameters: {'top_k': 3, 'echo': 0.5}, for model=y.",
                #""top_k":3,"echo":0.5,"user":"u""#, "-echo -top_k"
            ),
            ("x does not support {'top_k': 3}", #""top_k":3"#, "-top_k once"),
            ("该模型不支持top_k参数，请检查", #""top_k":1,"user":"u""#, "-top_k"),
            ("参数store、top_k不支持", #""top_k":1,"store":true"#, "-store -top_k"),
            ("不支持该模型，请检查top_k以外的参数", #""temperature":1"#, "nothing"),
            ("top_k参数非法。请检查文档。", #""top_k":1"#, "nothing"),
            (
                "Please launch the api_server with --tool-call-parser if you want to use tools.",
                #""tools":[{"type":"function"}]"#, "tools"
            ),
            (
                "The temperature, min_p, seed and logit_bias sampling parameters are not yet supported with diffusion models.",
                #""temperature":0.5,"seed":3"#, "-seed -temperature"
            ),
            ("seed: Extra inputs are not permitted", #""seed":3"#, #"seed rename("random_seed")"#),
            ("该模型不支持工具调用", #""tools":[{"type":"function"}]"#, "tools"),
            ("max_tokens参数范围应为［1，8192］", #""max_tokens":9000"#, "max_tokens atMost(8192)"),
            ("max_tokens的最大值为8192", #""max_tokens":9000"#, "max_tokens atMost(8192)"),
            ("错误码1210：max_tokens参数有误", #""max_tokens":9000"#, "nothing"),
            ("prediction is not supported", #""prediction":{"type":"content","content":"x"}"#, "-prediction"),
            ("toolChoice is not supported", #""tool_choice":"required","tools":[]"#, "tool_choice required"),
            (
                "maxOutputTokens must be less than or equal to 8192", #""max_output_tokens":9000"#,
                "max_output_tokens atMost(8192)"
            ),
        ]
    )
    func forms(_ message: String, _ members: String, _ wanted: String) {
        #expect(Self.text(Self.finding(message, of: Self.request(members))) == wanted, "\(message)")
    }

    @Test(
        "a model without chat completions is told from a field that they lack",
        arguments: [
            ("This model is only supported in v1/responses and not in v1/chat/completions.", true),
            (
                "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?",
                true
            ),
            ("model \"gpt-5.3-codex\" is not accessible via the /chat/completions endpoint", true),
            (
                "The chatCompletion operation does not work with the specified model, gpt-5.1-codex. Please choose different model and try again.",
                true
            ),
            ("The model 'x' does not support the '/v1/chat/completions' API", true),
            ("top_k is not supported by this model in v1/chat/completions", false),
            ("Unsupported parameter: 'verbosity' is not supported with this model in v1/chat/completions.", false),
            ("This model does not support streaming", false), ("This is not a chat template", false),
            ("The text 'this model is not supported in v1/chat/completions' is not supported", false),
        ]
    )
    func paths(_ message: String, _ wanted: Bool) {
        let body = Body(ByteBuffer(Self.request(#""top_k":1,"verbosity":"low""#)))
        #expect(Self.refusal(message, of: body)?.isOfChatPath == wanted)
    }

    private static func tool(_ name: String, _ property: String) -> String {
        """
        "tools":[{"type":"function","function":{"name":"\(name)","description":"d",\
        "parameters":{"type":"object","properties":{"\(property)":{"type":"string"}}}}}]
        """
    }

    @Test(
        "the names of tools and of their arguments are no fields",
        arguments: ["metadata", "store", "user", "temperature", "top_k", "service_tier"]
    )
    func toolNames(_ name: String) {
        let fields = #""\#(name)":{"a":"b"},"verbosity":"low""#
        let messages = [
            "Tool '\(name)' has an invalid schema: it is not supported",
            "function \(name): its length is not supported",
            "Invalid schema for function 'x': argument '\(name)' is not allowed",
            "Unsupported: the tool `\(name)` may not be sent twice",
            "Unexpected type of \(name) in the schema of a function",
        ]
        for (tool, property) in [(name, "x"), ("x", name)] {
            let request = Self.request("\(Self.tool(tool, property)),\(fields)")
            for message in messages {
                #expect(Self.text(Self.finding(message, of: request)) == "nothing", "\(message)")
            }
            for message in [
                "Unknown parameter: '\(name)'.", "property '\(name)' is unsupported", "Unsupported param: \(name)",
            ] {
                #expect(Self.text(Self.finding(message, of: request)) == "-\(name)", "\(message)")
            }
            #expect(
                Self.text(Self.finding("\(name) is not supported with tools", of: request)) == "-\(name) with tools"
            )
            let responses = request.replacing("messages", with: "input")
            #expect(Self.text(Self.finding(messages[0], of: responses)) == "nothing")
        }
        let claude = """
            {"model":"m","max_tokens":9,"tools":[{"name":"\(name)","input_schema":{"type":"object"}}],\(fields),\
            "messages":[{"role":"user","content":"Hi"}]}
            """
        #expect(Self.text(Self.finding(messages[3], isOfMessages: true, of: claude)) == "nothing")
        let quoting = #"{"model":"m","messages":[{"role":"user","content":"\#(name)"}],\#(fields)}"#
        #expect(Self.text(Self.finding("The text '\(name)' is not supported", of: quoting)) == "nothing")
    }

    @Test(
        "what is refused in combination with tools, or in streams, is remembered beside the other field",
        arguments: [
            ("streaming is not supported with tools", "stream tools"),
            ("Tool calling is not supported in streaming mode!", "stream tools"),
            ("This model doesn't support tool use in streaming mode.", "stream tools"),
            ("ValidationException: This model doesn't support tool use in streaming mode.", "stream tools"),
            ("Cannot use tools with stream", "stream tools"),
            ("Streaming with tools is not supported", "stream tools"),
            ("Tools are not supported when stream=true", "stream tools"),
            ("Function calling is not supported with streaming", "stream tools"),
            ("`tools` and `stream` are mutually exclusive", "stream tools"),
            ("JSON mode does not support streaming", "format stream"),
            ("response_format json_object does not support streaming", "format stream"),
            ("'response_format' json_object cannot be combined with tool/function calling", "format tools"),
            ("json mode cannot be combined with tool/function calling", "format tools"),
            ("response_format and tools are mutually exclusive", "format tools"),
            ("\"tools\" is incompatible with \"response_format\"", "format tools"),
            ("Cannot use json response type with tools", "format tools"),
            ("You can only either use guided decoding or tools, not both.", "format tools"),
            ("Structured outputs with tools are only supported by the Grok 4 family of models.", "format tools"),
            (
                "Forced function calling (ANY mode) with a response mime type: 'application/json' is unsupported",
                "format tools"
            ), ("Response format is not supported when tools are present", "format tools"),
            ("response_format is not supported with tools. Use tool_choice instead.", "format tools"),
            ("You cannot specify response format and function call at the same time", "format tools"),
        ]
    )
    func combinations(_ message: String, _ pair: String) {
        let isOfStream = pair.hasPrefix("stream")
        let format = #""response_format":{"type":"json_object"}"#
        let stream = #""stream":true"#
        let members = [isOfStream ? stream : format, pair.hasSuffix("tools") ? Self.tool("f", "x") : stream]
        let wanted =
            (isOfStream ? "-stream -stream_options" : "json_object")
            + (pair.hasSuffix("tools") ? " with tools" : " with stream=true")
        for request in [members, members.reversed()].map({ Self.request($0.joined(separator: ",")) }) {
            #expect(Self.text(Self.finding(message, of: request)) == wanted, "\(message)")
        }
        // A streamed request gets the same words.
        guard !isOfStream else { return }
        let streamed = Self.request((members + [#""stream":true"#]).joined(separator: ","))
        #expect(Self.text(Self.finding(message, of: streamed)) == wanted, "\(message)")
    }

    @Test(
        "the source of a chat template is not a server's words",
        arguments: [
            (
                """

                ------------
                While executing CallExpression at line 85, column 32 in source:
                ...first %}\u{21b5}  {%- if tools %}{{- raise_exception('top_k is not supported. System mess...
                                           ^
                Error: Jinja Exception: No user query found in messages.
                """, "nothing"
            ),
            (
                """

                ------------
                While executing CallExpression at line 43, column 28 in source:
                ...is not supported %}\u{21b5}            {{- raise_exception('After the optional top_k, con...
                                           ^
                Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...
                """, "order of roles"
            ),
            (
                """
                Error rendering prompt with jinja template: "Conversation roles must alternate user and assistant".

                This is usually an issue with the model's prompt template. If you are using a popular model, you can try
                """, "order of roles"
            ),
            (
                "Cannot render the template {%- if tools %}{{ 'tools are not supported, top_k is not supported' }}",
                "nothing"
            ),
        ]
    )
    func templates(_ message: String, _ wanted: String) {
        let request = Self.request("\(Self.tool("f", "x")),\"top_k\":2")
        #expect(Self.text(Self.finding(message, of: request)) == wanted)
    }

    @Test("any message is read, and operators see no text of the request") func anyMessage() {
        var random = Seeded(11)
        let pieces = [
            "'", "\"", "`", "{%", "%}", "{{", "}}", "in source:", "Error:", "'msg': ", "jinja template: ", "<400>", "<",
            ">", "input: ", "value=", "got", "tool", "function", "metadata", "top_k", "is not supported", ", ", ". ",
            "(", "[1, 2)", "=True", "\n", "“", "ü", "\\", "pin 1234", "hunter22", "", " ",
        ]
        let request = ByteBuffer(
            #"""
            {"model":"m","messages":[{"role":"user","content":"pin 1234"},{"role":"user","content":"a\u00fc\ud83d\n"}],
            "user":"hunter22","metadata":{"a":""},"top_k":2,"tools":[{"name":"metadata"}]}
            """#
        )
        for _ in 0..<2_000 {
            let message = (0..<random.below(12)).map { _ in pieces[random.below(pieces.count)] }.joined(separator: " ")
            let shown = RefusalWords(message, of: request.bytes).forOperators(of: request.bytes)
            #expect(!shown.contains("pin 1234") && !shown.contains("hunter22"), "\(message)")
        }
    }
}
