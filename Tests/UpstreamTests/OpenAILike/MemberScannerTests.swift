import Engine
import Shared
import Testing

@testable import Upstream

@Suite struct MemberScannerTests {
    private struct ScanResult: Equatable {
        var text = ""
        var usage = ""
        var error = ""
        var isWhole = false
        var isBroken = false
    }

    private func read(_ text: String, cutAt offset: Int) -> ScanResult {
        var scanner = MemberScanner(model: "as\"ked")
        var out = ByteBuffer()
        let bytes = ByteBuffer(text)
        scanner.consume(bytes.bytes[part: 0..<offset], into: &out)
        scanner.consume(bytes.bytes[part: offset..<bytes.count], into: &out)
        return ScanResult(
            text: out.bytes.text,
            usage: scanner.usage.bytes.text,
            error: scanner.error.bytes.text,
            isWhole: scanner.isWhole,
            isBroken: scanner.isBroken
        )
    }

    @Test(
        "the model is replaced and members are kept, wherever the text is cut",
        arguments: [
            (#"{"model":"x"}"#, #"{"model":"as\"ked"}"#, "", ""),
            (
                #" {"a":[{"model":"y"},"model"], "model" : "x\"}," , "z":{}} "#,
                #"{"a":[{"model":"y"},"model"], "model" :"as\"ked", "z":{}}"#, "", ""
            ),
            (
                #"{"usage":{"prompt_tokens":5} ,"model":null}"#, #"{"usage":{"prompt_tokens":5} ,"model":null}"#,
                #"{"prompt_tokens":5}"#, ""
            ),
            (
                #"{"error":{"message":"\\","code":[1,2]},"\"usage":1}"#,
                #"{"error":,"\"usage":1}"#, "", #"{"message":"\\","code":[1,2]}"#
            ),
            (#"{"error" : null,"a":1}"#, #"{"error" :null,"a":1}"#, "", "null"),
            (#"{"modelx":"x","mode":"x","model":7}"#, #"{"modelx":"x","mode":"x","model":7}"#, "", ""),
            ("{}", "{}", "", ""),
        ]
    )
    func members(text: String, written: String, usage: String, error: String) {
        for offset in 0...text.utf8.count {
            let read = read(text, cutAt: offset)
            #expect(read.text.drop { $0 == " " }.trimmingSuffix(" ") == written, "\(offset)")
            #expect((read.usage, read.error) == (usage, error), "\(offset)")
            #expect(read.isWhole && !read.isBroken, "\(offset)")
        }
    }

    @Test(
        "a recording is as long as the usage or the response says",
        arguments: [
            (#"{"text":"a","duration":90}"#, 90), (#"{"duration":"89.50","text":"a"}"#, 90),
            (#"{"duration":1.5,"usage":null}"#, 2), (#"{"duration":"long"}"#, 0), (#"{"duration":-1}"#, 0),
            (#"{"duration":5,"usage":{"type":"duration","seconds":6}}"#, 6),
            (#"{"usage":{"prompt_audio_seconds":90,"prompt_tokens":4,"completion_tokens":5}}"#, 90),
        ]
    )
    func recordings(text: String, seconds: Int) {
        var scanner = MemberScanner(model: "m")
        var out = ByteBuffer()
        let bytes = ByteBuffer(text)
        scanner.consume(bytes.bytes, into: &out)
        let usage = scanner.usage(JSONParser())
        #expect((usage?.pieces ?? 0) == seconds && out.bytes.text == text)
    }

    @Test("what is no object passes on as it is", arguments: ["[1,{\"model\":2}]", "<html>", "}{", "text", "\u{e9}]]"])
    func others(text: String) {
        for offset in 0...text.utf8.count {
            let read = read(text, cutAt: offset)
            #expect(read.text == text && !read.isWhole, "\(offset)")
        }
    }

    @Test("a text that ends early is not whole", arguments: ["", "{", "{\"model\":\"x", "{\"a\":{}", "{\"a\":\"\\\""])
    func early(text: String) {
        for offset in 0...text.utf8.count { #expect(!read(text, cutAt: offset).isWhole) }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ end: Character) -> String {
        var text = self
        while text.last == end { text.removeLast() }
        return String(text)
    }
}
