import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct OneMinStreamTests {
    private struct StreamedOutput: Equatable {
        var text = ""
        var usage: [Int]?
        var failure: UpstreamError.Kind?
        var stopped: Bool?
        /// The number of reported ends.
        var ends = 0

        static func ended(_ text: String, usage: [Int]? = nil) -> StreamedOutput {
            StreamedOutput(text: text, usage: usage, stopped: true, ends: 1)
        }
    }

    private func streamed(
        _ pieces: [[UInt8]],
        isEventStream: Bool = true,
        searchesWeb: Bool = false,
        failure: TransportError? = nil
    ) async -> StreamedOutput {
        let source = ScriptedStream(pieces, isEventStream: isEventStream, failure: failure)
        let stream = WireStream(source, OneMinReader(JSONParser(), searchesWeb: searchesWeb))
        var result = StreamedOutput()
        var out: [UInt8] = []
        do throws(UpstreamError) {
            while try await stream.more(patienceNanoseconds: 1) != .end {
                while try stream.next({ _, event in
                    if case .finish = event { result.ends += 1 }
                    guard case .text(let piece, _) = event else { return }
                    if String(validating: piece, as: UTF8.self) == nil { Issue.record("a character was split") }
                    out += piece
                }) {}
            }
        } catch {
            result.failure = error.kind
        }
        stream.stop()
        result.text = String(decoding: out, as: UTF8.self)
        result.usage = stream.usage.map { [$0.promptTokens, $0.completionTokens] }
        result.stopped = source.stopped
        return result
    }

    private static let record =
        #"{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":["h\u00e4llo"]},"metadata":{"inputToken":3,"outputToken":2}}}"#

    @Test("a stream is the same wherever its bytes are cut, in every form of its pieces")
    func whole() async {
        let text =
            "event: content\ndata: {\"content\":\"h\"}\n\n: ping\n\nevent: content\r\ndata: {\"content\":\"\\u00e4\"}\r\n\r\n"
            + "event: content\ndata: {\"delta\":{\"content\":\"l\"}}\n\nevent: other\ndata: x\n\nevent: content\ndata: lo\n\n"
            + "event: content\ndata: {\"content\":\"h\u{e4}llo\"}\n\n"
            + "event: result\ndata: \(Self.record)\n\nevent: done\ndata: {}\n\n"
        for pieces in cuttings(of: Array(text.utf8)) {
            let result = await streamed(pieces)
            #expect(result == StreamedOutput.ended("h\u{e4}llo", usage: [3, 2]), "\(pieces[0].count)")
        }
    }

    @Test("a stream that comes as a whole response ends by the same rules")
    func streamAsWhole() {
        func text(_ body: String) throws -> String {
            var text = ""
            let reader = OneMinReader(JSONParser(), searchesWeb: false)
            _ = try reader.readAny(whole: Body(ByteBuffer(body))) {
                if case .text(let piece, _) = $1 { text += piece.text }
            }
            return text
        }
        let content = "event: content\ndata: a\n\n"
        #expect((try? text("\(content)event: done\ndata:\n\n")) == "a")
        #expect(throws: UpstreamError.self, "the last event is cut") { try text("\(content)event: done\ndata: {}") }
    }

    @Test("characters that the vendor cuts are put together")
    func cutCharacters() async {
        let globe = Array("\u{1f310}".utf8)
        for cut in 1..<4 {
            var text = Array("event: content\ndata: a".utf8) + globe[..<cut] + Array("\n\nevent: content\ndata: ".utf8)
            text += globe[cut...] + Array("b\n\nevent: done\ndata: x\n\n".utf8)
            #expect(await streamed([text]) == StreamedOutput.ended("a\u{1f310}b"))
        }
    }

    @Test("without any content the record's text is taken")
    func recordAlone() async {
        let text = "event: result\ndata: \(Self.record)\n\n"
        let expected = StreamedOutput.ended("h\u{e4}llo", usage: [3, 2])
        #expect(await streamed([Array((text + "data: [DONE]\n\n").utf8)]) == expected)
        #expect(await streamed([Array(text.utf8)]) == expected, "and no end")
    }

    @Test(
        "a stream that breaks passes on what came, fails, and gives up its connection",
        arguments: [
            ("", nil), ("event: error\ndata: {\"message\":\"no\"}\n\n", nil), ("event: error\ndata: no\n\n", nil),
            ("event: content\ndata: {\"content\":\"x\n\n", nil), ("event: result\ndata: {}\n\n", nil),
            ("event: failed\ndata: {\"message\":\"no\"}\n\nevent: done\ndata: {}\n\n", nil),
            ("event: content\ndata: {\"error\":\"no\"}\n\nevent: done\ndata: {}\n\n", nil),
            ("", TransportError(.broken)),
        ]
    )
    func breaks(_ end: String, _ failure: TransportError?) async {
        let text = "event: content\ndata: {\"content\":\"a\"}\n\n" + end
        for pieces in cuttings(of: Array(text.utf8)) {
            let result = await streamed(pieces, failure: failure)
            #expect(result == StreamedOutput(text: "a", failure: .failed, stopped: false))
        }
    }

    @Test("nothing is read past the end", arguments: ["event: done\ndata: x\n\n", "data: [DONE]\n\n"])
    func ends(_ end: String) async {
        let text = "event: content\ndata: {\"content\":\"a\"}\n\n\(end)event: content\ndata: {\"content\":\"b\"}\n\n"
        let expected = StreamedOutput.ended("a")
        for pieces in cuttings(of: Array(text.utf8)) { #expect(await streamed(pieces) == expected) }
    }

    @Test("progress of a web search is dropped, wherever it is cut")
    func progress() async {
        let said = ["\\ud83c\\udf10 Craw", "ling site http://a\\n", "an", "swer"]
        let text =
            said.map { "event: content\ndata: {\"content\":\"\($0)\"}\n\n" }.joined() + "event: done\ndata: {}\n\n"
        for pieces in cuttings(of: Array(text.utf8)) {
            #expect(await streamed(pieces, searchesWeb: true) == StreamedOutput.ended("answer"))
        }
    }

    @Test("an event, and a record, of more than 4 MB is refused", arguments: [true, false])
    func boundsEvent(isEventStream: Bool) async {
        let piece = [UInt8](repeating: 120, count: 1_000_000)
        let pieces = [Array("data: ".utf8)] + Array(repeating: piece, count: 6)
        let result = await streamed(pieces, isEventStream: isEventStream)
        #expect(result.failure == .failed && result.stopped == false)
    }
}
