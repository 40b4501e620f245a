import Engine
import Shared
import Testing

@testable import Upstream

/// Tests of what the error responses of vendors mean to clients.
///
/// Each line has the status, the client's status, code and parameter, and the body.
@Suite struct VendorErrorTests {
    private static let openAIRows = #"""
        400 400 bad_thing messages[0].content {"error":{"message":"It is wrong.","param":"messages[0].content","code":"bad_thing"}}
        422 400 - - {"detail":[{"msg":"Extra","type":"extra_forbidden"}]}
        400 400 invalid_base64_image - {"error":{"message":"It is wrong.","code":"invalid_base64_image"}}
        400 400 context_length_exceeded messages {"error":{"message":"This model's maximum context length is 10 tokens.","param":"messages","code":"context_length_exceeded"}}
        400 400 context_length_exceeded messages {"error":{"type":"exceed_context_size_error","code":400,"message":"x"}}
        500 400 context_length_exceeded messages {"error":{"message":"the request exceeds the available context size"}}
        413 400 context_length_exceeded messages {"error":{"message":"Request body too large for gpt-4o model. Max size: 8000 tokens.","code":"tokens_limit_reached"}}
        400 400 content_filter - {"error":{"message":"It is wrong.","code":"content_filter"}}
        400 400 content_filter - {"error":{"message":"It is wrong.","code":"content_policy_violation"}}
        400 400 content_filter - {"error":{"code":"InputTextSensitiveContentDetected","message":"It is wrong.","param":"","type":"BadRequest"}}
        422 400 content_filter - {"type":"error","error":{"type":"unprocessable_entity_error","message":"input new_sensitive (1026)","http_code":"422"}}
        400 400 content_filter - {"message":"The generated text has been blocked by our content filters."}
        400 400 content_filter - {"error":{"message":"litellm.ContentPolicyViolationError: The response was filtered due to our content management policy.","code":"400"}}
        400 400 - - {"error":{"message":"Unknown content policy: strict"}}
        403 400 content_filter - {"error":{"code":403,"message":"Input flagged by moderation"}}
        400 400 content_filter - {"error":{"message":"Input may contain inappropriate content.","code":"data_inspection_failed"}}
        400 400 content_filter - {"error":{"code":"1301","message":"System detected potentially unsafe content"},"contentFilter":[{"level":1}]}
        403 400 content_filter - {"code":"no permission","error":"Content violates usage guidelines. Team: a, API key ID: b, Model: c"}
        400 502 upstream_error - {"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***xx."}
        400 502 upstream_error - [{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]
        400 400 - tools[0] {"error":{"message":"Invalid API key for the MCP server of the tool","param":"tools[0]"}}
        400 400 - - {"error":{"message":"The file 'my api key' is invalid"}}
        400 502 upstream_error - [{"error":{"code":400,"message":"It is wrong.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]
        400 502 upstream_error - {"error":{"message":"API key expired. Please renew the API key."}}
        400 502 upstream_error - [{"error":{"code":400,"message":"Missing or invalid Authorization header.","status":"INVALID_ARGUMENT"}}]
        400 400 - - {"error":{"message":"Missing or invalid Authorization header for the MCP server"}}
        400 402 insufficient_quota - {"error":{"message":"Budget has been exceeded! Current cost: 10.1","type":"budget_exceeded"}}
        400 502 upstream_error - {"error":{"message":"Organization has been restricted.","code":"organization_restricted"}}
        400 502 upstream_error - [{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]
        400 400 - - [{"error":{"code":400,"message":"The file is not active yet.","status":"FAILED_PRECONDITION"}}]
        401 403 permission_denied - {"error":{"message":"key not allowed to access model","type":"key_model_access_denied","code":"401"}}
        400 503 upstream_error - {"title":"Bad Request","status":400,"detail":"Function id '01': DEGRADED function cannot be invoked"}
        401 502 upstream_error - {"error":{"message":"It is wrong.","code":"invalid_api_key"}}
        402 402 insufficient_quota - {"error":{"message":"Insufficient Balance"}}
        429 402 insufficient_quota - {"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}
        429 402 insufficient_quota - {"error":{"message":"Your account a is suspended due to insufficient balance, please recharge","type":"exceeded_current_quota_error"}}
        429 402 insufficient_quota - {"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}
        429 402 insufficient_quota - {"error":{"code":"1113","message":"余额不足或无可用资源包,请充值。"}}
        400 402 insufficient_quota - {"code":"Arrearage","message":"Access denied, please make sure your account is in good standing."}
        403 402 insufficient_quota - {"error":{"message":"Access denied due to overdue account"}}
        402 402 insufficient_quota - {"error":{"code":402,"message":"Insufficient credits. Add more using our page."}}
        403 402 insufficient_quota - {"error":{"code":403,"message":"Key limit exceeded (total limit)."}}
        403 402 insufficient_quota - {"code":"no permission","error":"Your team a has either used all available credits or reached its monthly spending limit."}
        429 402 insufficient_quota - {"code":"used up","error":"Your team a has either used all available credits or reached its monthly spending limit."}
        403 402 insufficient_quota - {"code":"x","error":"You have run out of credits or need a Grok subscription."}
        403 402 insufficient_quota - {"code":30001,"message":"Sorry, your account balance is insufficient","data":null}
        402 402 insufficient_quota - {"error":{"message":"Credit limit exceeded, please navigate to our page"}}
        412 402 insufficient_quota - {"error":{"message":"Account a is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.","type":"error","code":"PRECONDITION_FAILED"}}
        403 402 insufficient_quota - {"error":{"code":"AccountOverdueError","message":"Your account has an overdue balance.","type":"Forbidden"}}
        403 402 insufficient_quota - {"code":"no permission","error":"Your newly created team doesn't have any credits or licenses yet. You can purchase those on our page."}
        403 402 insufficient_quota - {"error":{"message":"用户额度不足, 剩余额度: 0","type":"new_api_error","code":"insufficient_user_quota"}}
        403 402 insufficient_quota - {"error":{"message":"token quota is not enough, token remain quota: 0","type":"one_api_error"}}
        401 402 insufficient_quota - {"error":{"message":"该令牌额度已用尽","type":"new_api_error"}}
        429 402 insufficient_quota - {"error":{"message":"Your account is not active, please check your billing details.","type":"billing_not_active","code":"billing_not_active"}}
        503 503 upstream_error - {"error":{"message":"The load balancer exhausted its tries"}}
        402 400 insufficient_quota messages {"error":{"message":"Prompt tokens limit exceeded: 9 > 5. See https://a.b/settings/credits"}}
        403 402 insufficient_quota - {"error":{"message":"You are out of quota for this key"}}
        429 429 rate_limit_exceeded - {"error":{"message":"Quota exceeded: 60 requests per minute. See our page on billing."}}
        429 429 rate_limit_exceeded - {"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests"}}
        429 429 rate_limit_exceeded - {"error":{"message":"Allocated quota exceeded, please increase your quota limit.","code":"Throttling.AllocationQuota"}}
        429 429 rate_limit_exceeded - {"error":{"message":"Quota exceeded for x.googleapis.com/input_tokens_per_minute_per_base_model"}}
        404 404 model_not_found model {"error":{"message":"Model with id 'x' not found","type":"invalid_request_error"}}
        400 400 - - {"error":{"message":"tool message: no valid tool call precedes it"}}
        400 400 - - {"error":{"message":"The tool get_balance exceeded 64 arguments"}}
        500 429 rate_limit_exceeded - {"error":{"message":"upstream answered 429: Too Many Requests"}}
        400 400 image_too_large - {"error":{"message":"It is wrong.","code":"image_too_large"}}
        429 402 insufficient_quota - {"error":{"message":"x","code":"organization_spend_limit_exceeded"}}
        400 402 insufficient_quota - {"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","code":"billing_hard_limit_reached"}}
        403 502 upstream_error - {"error":{"message":"Not you"}}
        403 403 permission_denied - {"error":{"message":"You have no access to this model"}}
        404 404 model_not_found model {"error":{"message":"It is wrong.","code":"model_not_found"}}
        404 404 model_not_found model {"error":{"code":"DeploymentNotFound","message":"x"}}
        400 404 model_not_found model {"error":"No models loaded. Please load a model"}
        400 404 model_not_found model {"detail":{"error":{"message":"No models are currently loaded.","trace":null}}}
        400 404 model_not_found model {"error":{"code":"InvalidEndpoint.ClosedEndpoint","message":"The request targeted an endpoint that is closed."}}
        400 404 model_not_found model {"message":"The provided model identifier is invalid."}
        400 404 model_not_found model {"error":{"message":"model is not loaded","code":400}}
        400 404 model_not_found model {"error":{"message":"Failed to load model \"x\". Error: it was stopped.","param":"model"}}
        400 404 model_not_found model {"errors":[{"message":"AiError: No such model @cf/x or task","code":5007}],"success":false}
        400 404 model_not_found model {"error":{"message":"litellm.BadRequestError: LLM Provider NOT provided.","code":"400"}}
        400 404 model_not_found model {"object":"error","message":"The model does not support Chat Completions API","code":400}
        400 400 - - {"error":{"message":"The adapter of the model was not loaded"}}
        410 404 model_not_found model {"status":410,"title":"Gone","detail":"The model 'x' has reached its end of life."}
        410 502 upstream_error - {"status":410,"title":"Gone","detail":"It has moved."}
        400 404 model_not_found model {"error":{"message":"xyz is not a valid model ID"}}
        400 404 model_not_found model {"error":{"message":"Model Not Exist","code":"invalid_request_error"}}
        400 404 model_not_found model {"error":{"message":"The model `x` has been decommissioned.","code":"model_decommissioned"}}
        400 404 model_not_found model {"error":{"message":"The requested model 'x' is not a chat model.","code":"model_not_supported"}}
        400 404 model_not_found model {"error":{"message":"Unavailable model: x","code":"unavailable_model"}}
        400 404 model_not_found model {"error":{"message":"Unable to access x.","code":"model_not_available"}}
        400 404 model_not_found model {"error":{"message":"Invalid model 'x'.","type":"invalid_model","code":400}}
        400 404 model_not_found model {"error":{"message":"Invalid model name passed in model=x.","code":"400"}}
        400 404 model_not_found model {"error":{"code":"1211","message":"模型不存在，请检查模型代码。"}}
        400 400 unsupported_api_for_model - {"error":{"message":"x is not accessible via this endpoint","code":"unsupported_api_for_model"}}
        404 404 model_not_found model {"error":{"message":"No endpoints found for meta/x.","code":404}}
        404 400 - - {"error":{"message":"No endpoints found that support image input","code":404}}
        500 400 - - {"error":{"message":"image input is not supported - hint: you may need to provide the mmproj","code":500}}
        404 404 model_not_found model {"status":404,"title":"Not Found","detail":"Function '01': Not found for account 'a'"}
        400 404 model_not_found model {"message":"Invocation of model ID x with on-demand throughput isn’t supported."}
        400 400 context_length_exceeded messages {"error":{"message":"输入内容长度超过模型最大上下文长度：最大131072","code":"1261"}}
        404 400 - input {"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error","param":"input"}}
        404 502 upstream_error - {"error":{"message":"Invalid URL (POST /v2/chat)","type":"invalid_request_error"}}
        404 502 upstream_error - {"detail":"Not Found"}
        405 502 upstream_error - {"x":1}
        408 504 upstream_timeout - {"x":1}
        504 504 upstream_timeout - {"x":1}
        413 413 request_too_large - {"x":1}
        413 429 rate_limit_exceeded - {"error":{"message":"tokens per minute","type":"tokens","code":"rate_limit_exceeded"}}
        529 503 upstream_error - {"x":1}
        500 502 upstream_error - {"error":{"message":"It is wrong."}}
        302 502 upstream_error - {"x":1}
        429 402 insufficient_quota - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.'}}
        400 502 upstream_error - {'error': 'Incorrect API key provided'}
        """#

    private static let geminiRows = #"""
        400 400 - - {"error":{"code":400,"message":"It is wrong.","status":"INVALID_ARGUMENT","details":[]}}
        400 400 - - [{"error":{"code":400,"message":"It is wrong.","status":"INVALID_ARGUMENT","details":[]}}]
        400 502 upstream_error - {"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}]}}
        400 502 upstream_error - {"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION","details":[]}}
        400 400 context_length_exceeded messages {"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT","details":[]}}
        400 400 context_length_exceeded messages {"error":{"code":400,"message":"Unable to submit request because the input token count is 20 but model only supports up to 10.","status":"INVALID_ARGUMENT","details":[]}}
        401 502 upstream_error - {"error":{"code":401,"message":"It is wrong.","status":"UNAUTHENTICATED","details":[]}}
        403 502 upstream_error - {"error":{"code":403,"message":"It is off.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}}
        403 502 upstream_error - {"error":{"code":403,"message":"Your API key was reported as leaked.","status":"PERMISSION_DENIED","details":[]}}
        403 403 permission_denied - {"error":{"code":403,"message":"You may not access this tuned model","status":"PERMISSION_DENIED","details":[]}}
        404 404 model_not_found model {"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND","details":[]}}
        404 502 upstream_error - <html>no</html>
        413 413 request_too_large - {}
        429 429 rate_limit_exceeded - {"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}
        429 429 rate_limit_exceeded - {"error":{"code":429,"message":"It is wrong.","status":"RESOURCE_EXHAUSTED","details":[]}}
        429 402 insufficient_quota - {"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"m","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}
        429 402 insufficient_quota - {"error":{"code":429,"message":"Quota exceeded for metric: x, limit: 0","status":"RESOURCE_EXHAUSTED","details":[]}}
        499 502 upstream_error - {"error":{"code":499,"message":"It is wrong.","status":"CANCELLED","details":[]}}
        500 502 upstream_error - {"error":{"code":500,"message":"It is wrong.","status":"INTERNAL","details":[]}}
        503 503 upstream_error - {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE","details":[]}}
        504 504 upstream_timeout - {"error":{"code":504,"message":"It is wrong.","status":"DEADLINE_EXCEEDED","details":[]}}
        """#

    private static let anthropicRows = #"""
        400 400 - - {"type":"error","error":{"type":"invalid_request_error","message":"It is wrong."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        400 402 insufficient_quota - {"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        400 402 insufficient_quota - {"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        400 400 context_length_exceeded messages {"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 tokens > 1 maximum"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        400 400 context_length_exceeded messages {"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 1 + 2 > 2"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        400 400 content_filter - {"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        401 502 upstream_error - {"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        402 402 insufficient_quota - {"type":"error","error":{"type":"billing_error","message":"Pay"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        403 502 upstream_error - {"type":"error","error":{"type":"permission_error","message":"Not you"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        403 403 permission_denied - {"type":"error","error":{"type":"permission_error","message":"Your key may not use this model"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        404 404 model_not_found model {"type":"error","error":{"type":"not_found_error","message":"model: claude-x"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        413 413 request_too_large - {"type":"error","error":{"type":"request_too_large","message":"Too large"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        429 402 insufficient_quota - {"type":"error","error":{"type":"rate_limit_error","message":"No","details":{"error_code":"workspace_spend_limit_reached"}},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        429 402 insufficient_quota - {"type":"error","error":{"type":"rate_limit_error","message":"The budget is used up.","details":{"error_code":"insufficient_quota"}},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        500 502 upstream_error - {"type":"error","error":{"type":"api_error","message":"Oops"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        504 504 upstream_timeout - {"type":"error","error":{"type":"timeout_error","message":"Slow"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        529 503 upstream_error - {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}
        """#

    private static let cohereRows = #"""
        400 400 - - {"id":"1","message":"It is wrong."}
        422 400 - - {"id":"1","message":"It is wrong."}
        400 400 context_length_exceeded messages {"id":"1","message":"too many tokens: size limit exceeded"}
        400 400 context_length_exceeded messages {"id":"1","message":"The input exceeds the maximum context length of 9 tokens"}
        400 404 model_not_found model {"id":"1","message":"model 'x' not found, make sure the correct model ID was used"}
        401 502 upstream_error - {"id":"1","message":"invalid api token"}
        498 502 upstream_error - {"id":"1","message":"blocked token"}
        402 402 insufficient_quota - {"id":"1","message":"billing"}
        403 502 upstream_error - {"id":"1","message":"no"}
        404 404 model_not_found model {"id":"1","message":"model not found"}
        413 413 request_too_large - {}
        429 429 rate_limit_exceeded - {"id":"1","message":"You are using a Trial key, which is limited to 20 API calls / minute."}
        429 402 insufficient_quota - {"id":"1","message":"You are using a Trial key, which is limited to 1000 API calls / month."}
        429 429 rate_limit_exceeded - {"id":"1","message":"slow down"}
        499 502 upstream_error - {"id":"1","message":"closed"}
        500 502 upstream_error - <html>no</html>
        503 503 upstream_error - {"id":"1","message":"busy"}
        504 504 upstream_timeout - {}
        """#

    private static func told(
        _ status: Int,
        _ body: String,
        _ table: @escaping VendorErrorTable,
        namesFields: Bool,
        key: String = ""
    ) -> APIError {
        let request = RefusedRequest(Body(ByteBuffer(#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#)))
        let head = UpstreamHead(status: status, isEventStream: false, retryAfterSeconds: nil)
        let body = ByteBuffer(body)
        let reader = ErrorResponseReader(JSONParser(), table, namesFields: namesFields)
        let credential = Credential(own: key, label: "k1")
        return APIError(reader.error(head, body.bytes, to: request), model: "m", credential)
    }

    private struct Meaning: Equatable {
        let status: Int
        let code: String?
        let param: String?
    }

    /// Checks each row. Returns the number of rows.
    private func check(_ rows: String, _ table: @escaping VendorErrorTable, namesFields: Bool) throws -> Int {
        let rows = rows.split(separator: "\n")
        for row in rows {
            let parts = row.split(separator: " ", maxSplits: 4).map(String.init)
            let words = parts[2...3].map { $0 == "-" ? nil : $0 }
            let told = Self.told(try #require(Int(parts[0])), parts[4], table, namesFields: namesFields)
            let expected = Meaning(status: try #require(Int(parts[1])), code: words[0], param: words[1])
            #expect(Meaning(status: told.status, code: told.code, param: told.param) == expected, "\(row)")
        }
        return rows.count
    }

    @Test("errors of OpenAI-compatible servers") func openAI() throws {
        #expect(try check(Self.openAIRows, VendorError.openAI, namesFields: true) > 80)
    }

    @Test("JSON that is cut or invalid is read for its meaning, but not shown") func brokenJSON() {
        for body in [#"{"error":{"message":"It is wrong"#, "\n [{\"message\":\"\u{fffd}\"", "{'error':'It is wrong'}"] {
            let told = Self.told(400, body, VendorError.openAI, namesFields: true)
            #expect(told.message == "The provider rejected this request.", "\(body)")
        }
        let full = #"{"error":{"message":"This model's maximum context length is 10 tokens."#
        #expect(Self.told(400, full, VendorError.openAI, namesFields: true).code == "context_length_exceeded")
        #expect(Self.told(400, "[It] is wrong.", VendorError.openAI, namesFields: true).message == "[It] is wrong.")
    }

    @Test(
        "a response of status 200 that says what is not supported is a refusal",
        arguments: [
            (#"{"detail":"n > 1 is not supported"}"#, true), (#"{"error":"It does not support n > 1"}"#, true),
            (#"{"detail":"Internal Server Error"}"#, false),
            (#"{"error":"CUDA error: the device does not support this"}"#, false),
            (#"{"error":"This node does not support the model"}"#, false),
        ]
    )
    func refusedWithSuccess(body: String, isRefusal: Bool) {
        let body = ByteBuffer(body)
        let reader = ErrorResponseReader(JSONParser(), VendorError.openAI, namesFields: true)
        let error = JSONParser.read(body.bytes) { reader.error(ofUnanswered: $0, "no choice") }
        #expect(error?.kind == (isRefusal ? .badRequest : .failed))
        #expect(error?.message.contains("n > 1") == isRefusal)
    }

    @Test("a request that is too large is refused in the server's words") func tooLarge() {
        let body = #"{"code":20042,"message":"input batch size 33 > maximum allowed batch size 32","data":null}"#
        let told = Self.told(413, body, VendorError.openAI, namesFields: true)
        #expect(told.status == 413 && told.message.hasSuffix(": input batch size 33 > maximum allowed batch size 32"))
        let hidden = Self.told(413, body, VendorError.openAI, namesFields: true, key: "batch size 33")
        #expect(hidden.status == 413 && !hidden.message.contains("33"))
    }

    @Test(
        "the time to wait is read from words",
        arguments: [
            ("organization max RPM: 20, please try again after 20 seconds", 20),
            ("Please try again in 33m57.312s. Need more tokens?", 2_038), ("Please retry after 45 seconds", 45),
            ("Please try again after a while", nil),
        ]
    )
    func wait(words: String, seconds: Int?) { #expect(PhraseMatcher(words).secondsToWait == seconds) }

    @Test("errors of Google's API") func gemini() throws {
        #expect(try check(Self.geminiRows, VendorError.gemini, namesFields: false) > 12)
    }

    @Test("errors of Anthropic's API") func anthropic() throws {
        #expect(try check(Self.anthropicRows, VendorError.anthropic, namesFields: false) > 12)
    }

    @Test("errors of Cohere's API") func cohere() throws {
        #expect(try check(Self.cohereRows, VendorError.cohere, namesFields: false) > 17)
    }

    @Test(
        "the message is found wherever a server puts it",
        arguments: [
            #"{"error":{"message":"It is wrong.","type":null,"param":null,"code":null}}"#,
            #"{"error":"It is wrong."}"#,
            #"{"object":"error","message":"It is wrong.","type":"invalid_request_error","code":"3280"}"#,
            #"{"detail":[{"loc":["body"],"msg":"It is wrong.","type":"extra_forbidden"}]}"#,
            #"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"It is wrong.","type":"x"}]},"type":"invalid_request_error"}"#,
            #"{"detail":"It is wrong."}"#,
            #"{"code":1301,"msg":"It is wrong."}"#,
            #"[{"error":{"message":"It is wrong.","type":null,"param":null,"code":null}}]"#,
            #"{"errors":[{"message":"It is wrong."}]}"#,
            #"{"errors":["It is wrong."]}"#,
            #"{"error":{"message":{"detail":"It is wrong."}}}"#,
            #"{"error":{"code":400,"error":{"msg":"It is wrong."}}}"#,
            #"{"detail":{"error":{"message":"It is wrong.","type":"x"}}}"#,
            #"{"error":"invalid_request","error_description":"It is wrong."}"#,
            #"{"type":"about:blank","title":"Bad Request","status":400,"detail":"It is wrong."}"#,
            #"{"type":"about:blank","title":"It is wrong.","status":400}"#,
            #"{"fault":{"faultstring":"It is wrong.","detail":{"errorcode":"steps.json.Failed"}}}"#,
            #"{"__type":"com.amazon.coral#ValidationException","Message":"It is wrong."}"#,
            #"{"base_resp":{"status_code":2013,"status_msg":"It is wrong."}}"#,
            #"{"success":false,"errors":[{"code":1,"message":"It is wrong."}],"messages":[],"result":null}"#,
            #"{"error_code":336001,"error_msg":"It is wrong."}"#,
            #"{"timestamp":"x","status":400,"error":"Bad Request","message":"It is wrong.","path":"/v1"}"#,
            #"{"tpe":"fail","errors":[{"description":"It is wrong.","key":"fail"}]}"#,
            #"{"error":{"code":400,"reason":"It is wrong."}}"#, #"{"errcode":40001,"errmsg":"It is wrong."}"#,
            #"{"success":false,"errorCode":"400","errorMsg":"It is wrong."}"#,
            #"{"Response":{"Error":{"Code":"InvalidParameter","Message":"It is wrong."},"RequestId":"x"}}"#,
            #"{"status":{"code":3,"message":"It is wrong."}}"#, #"{"status":"INVALID","title":"It is wrong."}"#,
            #"{"title":"One or more errors occurred.","status":400,"errors":{"store":["It is wrong."]}}"#,
            #"{"reason":"INVALID_REQUEST_BODY","message":"It is wrong.","metadata":{"reason":"x"}}"#,
        ]
    )
    func message(body: String) {
        let told = Self.told(400, body, VendorError.openAI, namesFields: true)
        #expect(told.status == 400 && told.message == "It is wrong.", "\(told.message)")
    }
}
