import Calls
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
