import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct UpstreamErrorTests {
    @Test(
        "the vendor's words lose addresses, keys and the team",
        arguments: [
            ("plain words", "plain words"), ("see https://a.b/c?d now", "see \u{2026} now"),
            ("see api.1min.ai now", "see \u{2026} now"), ("www.a.b", "\u{2026}"),
            ("key 0123456789abcdef01234567 is bad", "key \u{2026} is bad"), ("(https://a)", "\u{2026}"),
            ("a\n\t b", "a b"), ("the team Example has no credits", ""), ("for this team only", ""),
            ("aVeryLongWordThatIsNoKeyAtAll stays", "aVeryLongWordThatIsNoKeyAtAll stays"), ("", ""),
        ]
    )
    func cleans(_ said: String, _ expected: String) { #expect(UpstreamError.cleaned(said) == expected) }

    @Test(
        "the vendor's words lose names of owners, files and machines, and nothing else",
        arguments: [
            ("api_key=sk-abc12345 is bad", "\u{2026} is bad"), ("key AIzaSyShortKey12.", "key \u{2026}"),
            ("projects/mine/locations/us-central1 denies", "\u{2026} denies"),
            ("Project my-project is wrong", "Project \u{2026} is wrong"),
            ("project number 123456789012 is wrong", "project number \u{2026} is wrong"),
            ("Organization 'Acme Corp' is wrong", "Organization \u{2026} \u{2026} is wrong"),
            ("account \"acme\" is wrong", "account \u{2026} is wrong"),
            ("mail bob@corp.example now", "mail \u{2026} now"),
            (#"see C:\srv\app\main.py line 3"#, "see \u{2026} line 3"),
            ("see vllm/entrypoints/api.py line 3", "see \u{2026} line 3"),
            ("see internal.example:8080/x or localhost:8080", "see \u{2026} or \u{2026}"),
            ("at 10.0.0.5 now", "at \u{2026} now"),
            ("model @cf/meta/llama-3.1-8b is unknown", "model @cf/meta/llama-3.1-8b is unknown"),
            ("messages[0].content: claude@20240620, 2147483647", "messages[0].content: claude@20240620, 2147483647"),
            ("your project is out of quota, 1.5:1 and a/b", "your project is out of quota, 1.5:1 and a/b"),
            ("the account's organization has none", "the account's organization has none"),
        ]
    )
    func hidesOwners(_ said: String, _ expected: String) { #expect(UpstreamError.words(of: said) == expected) }

    @Test(
        "fields, dated models and patterns stay readable",
        arguments: [
            "tools.0.custom.input_schema: it is invalid", "'messages[3].tool_calls[0].id' is empty",
            "(tools.12.function.parameters.properties.line2_type)", "`input[2].content[10].image_url`, or less",
            "tools[0].function.parameters.properties.address2", "claude-sonnet-4-5-20250929 is unknown",
            "the model 'gpt-4o-mini-transcribe-2025-03-20'", "gemini-2.5-flash-preview-09-2025.",
            "messages.7.content.2.image.source.base64: image exceeds 5 MB",
            "In context=('properties', 'locations_2_items_list')",
            "the tool mcp__github__create_pull_request_review_v2 is unknown", "claude-3-5-sonnet@20240620 is gone",
            "match '^[a-zA-Z0-9_-]{1,64}$'.", "must be at most max_model_len=max_total_tokens=8192.",
            "tools in /v1/chat/completions. Use /v1/responses, or `/chat/completions`",
            "参数有误，请检查文档。max_tokens参数范围应为[1,8192]", "输入长度超过上下文：需要140000，最大131072",
            #"match \#u{201c}^[\w-]{1,64}(\.\d+)?$\#u{201d}"#,
        ]
    )
    func staysReadable(_ said: String) { #expect(UpstreamError.words(of: said) == said) }

    @Test(
        "words that only look like these are hidden",
        arguments: [
            "api2.internal.corp.example.com", "node.10.0.0.12.internal.example.com",
            "ip-10-0-0-12.ec2.internal.example",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123", "550e8400-e29b-41d4-a716-446655440000",
            "key.0.AbCdEfGhIjKlMnOpQrStUvWxYzAbCd", "my-company-project-428713", "sk-ant-api03-2025-01-01",
            "abc_1234567_defghijklmnopqrst", "team_a_Ab1Cd2Ef3Gh4Ij5Kl6Mn7", "worker-20259999-0123456789abcdef",
            "api_key=abcdefghijklmnop=12345678901", "setting=AbCd1234EfGh5678IjKl=8192",
            "密钥sk-abc12345无效", "密钥0123456789abcdef01234567无效", "[2001:db8:85a3:8d3:1319:8a2e]",
            "^abcdef0123456789abcdef01[0-9]$", "/v1/models/acme", "/srv/v1/chat", "/v1/chat/completions.py",
        ]
    )
    func staysHidden(_ said: String) { #expect(UpstreamError.words(of: "at \(said) now") == "at \u{2026} now") }

    @Test("a long text is cut at 300 characters")
    func cuts() {
        #expect(UpstreamError.cleaned(String(repeating: "\u{e4} ", count: 5_000)).count == 300)
    }

    @Test(
        "status and body say who is to blame",
        arguments: [
            (401, "{}", UpstreamError.Kind.badKey), (402, "", .outOfCredit), (403, "", .forbidden), (404, "", .failed),
            (406, "", .outOfCredit), (429, "", .rateLimited), (500, "", .failed), (503, "", .unavailable),
            (400, #"{"message":"wrong"}"#, .badRequest), (400, #"{"errorCode":"INSUFFICIENT_CREDITS"}"#, .outOfCredit),
            (400, #"{"message":"Invalid model x"}"#, .unknownModel),
            (400, #"{"errorCode":"OPEN_AI_UNEXPECTED_ERROR"}"#, .failed),
            (400, #"{"errorCode":"OPEN_AI_UNEXPECTED_ERROR","message":"Invalid value: 'x'"}"#, .badRequest),
        ]
    )
    func judges(_ status: Int, _ body: String, _ kind: UpstreamError.Kind) {
        let error = error(status, body)
        #expect(error.kind == kind)
        #expect(error.retryAfterSeconds == 7)
        #expect(error.recovery.contains(.retrySame) == (kind == .failed && status == 400))
    }

    @Test(
        "the message is found wherever the vendor puts it; a page says nothing",
        arguments: [
            (#"{"message":"a"}"#, "a"), (#"{"message":["a","b"]}"#, "a b"), (#"{"error":{"message":"a"}}"#, "a"),
            (#"{"error":"a"}"#, "a"), (#"{"detail":"a"}"#, "a"), ("plain", "plain"), (" \n<html>a</html>", ""),
            ("{}", ""),
        ]
    )
    func findsMessage(_ body: String, _ message: String) { #expect(error(422, body).message == message) }

    private func error(_ status: Int, _ body: String) -> UpstreamError {
        let head = UpstreamHead(status: status, isEventStream: false, retryAfterSeconds: 7)
        return withBytes(body) { UpstreamError(head, $0, parser: JSONParser(), of: .chat) }
    }
}
