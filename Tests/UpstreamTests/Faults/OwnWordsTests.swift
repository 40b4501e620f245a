import Engine
import Testing

@testable import Upstream

@Suite struct OwnWordsTests {
    private static func words(_ message: String, _ request: String, beside others: [String] = []) -> PhraseMatcher {
        let request = RefusedRequest(Body(ByteBuffer(request)), beside: others)
        return PhraseMatcher(OwnWords(message, without: request).text)
    }

    @Test(
        "texts of the request are left out, in whatever form the message repeats them",
        arguments: [
            (#"{"user":"Insufficient  balance"}"#, "Unknown user insufficient balance."),
            (#"{"user":"insufficient balance"}"#, "Unknown user: “INSUFFICIENT BALANCE”"),
            (#"{"user":"an \"insufficient\nbalance\""}"#, #"Unknown user {"user":"an \"insufficient\nbalance\""}"#),
            (#"{"user":"\u0069nsufficient balance"}"#, "Unknown user: insufficient balance"),
            (#"{"user":"insufficient balance é"}"#, #"Unknown user: insufficient balance \u00e9"#),
            (#"{"user":"请告诉我，insufficient balance 是什么意思。"}"#, "参数有误：请告诉我，Insufficient balance 是什么意思。"),
            (#"{"user":"ｉnsufficient balance、ok"}"#, "Unknown: insufficient balance,ok"),
            (#"{"insufficient balance":1}"#, "Unknown field insufficient balance"),
            (#"{"user":"My insufficient balance is not what you think it is"}"#, "Unknown: 'My insufficient bal...'"),
            (
                #"{"user":"My insufficient balance is not what you think it is"}"#,
                "Found insufficient balance is not what y"
            ),
            (#"{"user":"My insufficient balance is not what you think it is"}"#, "Cannot read `insufficient balance`"),
        ]
    )
    func repeated(request: String, message: String) {
        #expect(!Self.words(message, request).say("insufficient bal"), "\(message)")
    }

    @Test("texts of header lines, forms and addresses are left out")
    func others() {
        let others = ["insufficient balance"]
        let form = RefusedRequest(nil, beside: others)
        #expect(!Self.words("Unknown: insufficient balance", "{}", beside: others).say("balance"))
        #expect(!PhraseMatcher(OwnWords("Unknown 'insufficient balance'", without: form).text).say("balance"))
    }

    @Test(
        "a vendor's own words stay",
        arguments: [
            #"{"model":"m","messages":[{"role":"user","content":"Is my balance insufficient?"}]}"#,
            #"{"model":"insufficient","user":"balance","stop":"a balance insufficient"}"#,
        ]
    )
    func own(request: String) {
        #expect(Self.words("Insufficient balance", request).say("insufficient balance"))
        #expect(Self.words("The 'model' m has 'insufficient balance'", request).say("insufficient balance"))
    }

    @Test("a request that is too long to be compared leaves no words, and data without a space is no text")
    func long() {
        let text = String(repeating: "word ", count: 500_000)
        let data = String(repeating: "wordword", count: 500_000)
        #expect(Self.words("Insufficient balance", #"{"user":"\#(text)"}"#).say("balance") == false)
        #expect(Self.words("Insufficient balance", #"{"user":"\#(data)"}"#).say("balance"))
    }

    @Test(
        "no bytes make it fail",
        arguments: ["\u{ff}\u{3000}、", #"\"#, #"\u"#, #"\u12"#, "\\u{d8}", "'", "\"", "“", #"'\ud83d\u"#, ""]
    )
    func hostile(text: String) {
        for request in ["{}", "\"", #"{"a":"\"#, #"{"a":"\#(text)"}"#] {
            _ = Self.words(text, request, beside: [text])
            _ = Self.words("x \(text) y", request)
        }
    }
}
