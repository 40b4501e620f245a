import Calls
import Engine
import Shared
import Testing
import Upstream

@testable import Routes

/// A writer that records the events it receives.
private final class Told: AnswerWriter, @unchecked Sendable {
    var lines: [String] = []

    func take(_ choice: Int, _ event: AnswerEvent) {
        func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
        let line =
            switch event {
            case .text(let bytes, _): "text \(text(bytes))"
            case .reasoning(let bytes): "reasoning \(text(bytes))"
            case .refusal(let bytes): "refusal \(text(bytes))"
            case .toolCall(let index, let id, let name): "call \(index) \(text(id)) \(text(name))"
            case .toolArguments(let index, let bytes): "arguments \(index) \(text(bytes))"
            case .signature(let call, let bytes): "signature \(call ?? -1) \(text(bytes))"
            case .sealedThought(let bytes): "sealed \(text(bytes))"
            case .note(let bytes): "note \(text(bytes))"
            case .finish(let reason, let stop): "finish \(reason) \(stop.map(text) ?? "-")"
            case .native(_, let bytes): "native \(text(bytes))"
            }
        lines.append("\(choice) \(line)")
    }

    func begin(with text: StaticString) { lines.append("begin '\(text)'") }
    func ping() {}
    var isFull: Bool { false }
    func flush() async throws(UpstreamError) {}
    func flushNow() {}
    func end(_ usage: Usage) async {}
}

@Suite struct AnswerTapeTests {
    private func bytes(_ text: String) -> Body { Body(ByteBuffer(text)) }

    private func answer() -> ChatAnswer {
        var first = ChatAnswer.Choice(text: bytes("a text"), finish: .length)
        first.stop = bytes("END")
        first.refusal = bytes("")
        let sealed = Thought("", signature: "sealed", isSealed: true, afterTextBytes: 3)
        first.thoughts = [Thought("hm", signature: "sig"), sealed].compactMap(\.self)
        var second = ChatAnswer.Choice(text: nil, finish: .toolCalls)
        second.reasoning = bytes("because")
        var call = ToolCall(id: "call_1", name: "look", arguments: "{}")
        (call.signature, call.place) = ("s", 2)
        second.toolCalls = [call, ToolCall(id: nil, name: "old", arguments: "")]
        second.thoughts = [Thought("well", signature: nil, afterTextBytes: 2, afterCalls: 1)].compactMap(\.self)
        return ChatAnswer([first, second], usage: nil)
    }

    private func shown(_ answer: ChatAnswer) -> [String] {
        answer.choices.map { choice in
            let thoughts = choice.thoughts.map {
                "\($0.text)/\($0.signature ?? "-")/\($0.isSealed)/\($0.textBytesBefore)/\($0.callsBefore)"
            }
            let calls = choice.toolCalls.map {
                "\($0.id ?? "-")/\($0.name)/\($0.arguments)/\($0.signature ?? "-")/\($0.place)"
            }
            let texts = [choice.text, choice.reasoning, choice.refusal, choice.stop].map { $0?.text ?? "-" }
            return "\(texts) \(thoughts) \(calls) \(choice.finish)"
        }
    }

    @Test("a whole answer is read as it was written; cut anywhere it is no answer, or a shorter one")
    func whole() throws {
        var tape = AnswerTape()
        let answer = answer()
        let isWritten = answer.write(to: &tape)
        #expect(isWritten)
        var usage = Usage(promptTokens: 1, completionTokens: 300)
        usage.reasoningTokens = 7
        let stored = try #require(StoredAnswer(StoredAnswer.written(usage, "model-1", tape.out.bytes)))
        #expect(
            stored.servedModel == "model-1" && stored.usage.completionTokens == 300 && stored.usage.reasoningTokens == 7
        )
        #expect(ChatAnswer(tape: stored.bytes, ByteBuffer()).map(shown) == shown(answer))
        usage.promptTokens = 1 << 62
        #expect(StoredAnswer(StoredAnswer.written(usage, "model-1", tape.out.bytes)) == nil)
        let all = Array(tape.out.bytes)
        for count in 0..<all.count {
            all.prefix(count).withUnsafeBytes { cut in
                let shorter = ChatAnswer(tape: cut, ByteBuffer()).map(shown)
                #expect(shorter != shown(answer))
            }
            // A changed byte makes another answer or none.
            for byte: UInt8 in [0, 6, 0x7f, 0xff] {
                var changed = all
                changed[count] = byte
                changed.withUnsafeBytes { _ = ChatAnswer(tape: $0, ByteBuffer()) }
            }
        }
    }

    @Test("an answer of a filter is not written")
    func filter() {
        for reason in [FinishReason.contentFilter, .refusal] {
            var tape = AnswerTape()
            let isWritten = ChatAnswer([.init(text: bytes("a"), finish: reason)], usage: nil).write(to: &tape)
            #expect(!isWritten)
        }
    }

    @Test("a vendor's own answer gets other names")
    func original() {
        var answer = answer()
        answer.original = bytes(
            #"{"id":"chatcmpl-a","object":"chat.completion","created":1,"model":"m","choices":[],"x":1}"#
        )
        var tape = AnswerTape()
        let isWritten = answer.write(to: &tape)
        #expect(isWritten)
        let read = ChatAnswer(tape: tape.out.bytes, ByteBuffer(#"{"id":"b""#))
        #expect(read?.original?.text == #"{"id":"b","choices":[],"x":1}"#)
        answer.original = bytes(#"{"choices":[]}"#)
        let isWrittenAgain = answer.write(to: &tape)
        #expect(!isWrittenAgain)
    }

    @Test("events are told again; notes are not; cut anywhere fewer are")
    func events() {
        var tape = AnswerTape()
        let told = Told()
        func tell(_ choice: Int, _ event: AnswerEvent) {
            tape.add(choice, event)
            told.take(choice, event)
        }
        let (a, b, rest) = (bytes("aa"), bytes(""), bytes("-rest"))
        let long = bytes(String(repeating: "x", count: 300))
        tape.addOpening()
        told.begin(with: " ")
        tell(0, .reasoning(a.bytes))
        tell(0, .signature(call: nil, b.bytes))
        tell(0, .signature(call: 3, a.bytes))
        tell(0, .sealedThought(a.bytes))
        tell(1, .text(a.bytes))
        tell(0, .text(a.bytes, isPlain: true))
        tell(1, .text(a.bytes, isPlain: true))
        tell(0, .text(long.bytes, isPlain: true))
        tell(1, .refusal(b.bytes))
        tell(0, .toolCall(index: 2, id: a.bytes, name: b.bytes))
        tell(0, .toolArguments(index: 2, a.bytes))
        tape.add(0, .note(a.bytes))
        tell(0, .finish(.toolCalls, stop: nil))
        tell(1, .finish(.stop, stop: a.bytes))
        tape.add(native: rest.bytes, of: 0)
        told.lines.append("0 native names-rest")
        tape.add(native: a.bytes, of: -1)
        #expect(replayed(tape.out.bytes) == told.lines)
        let all = Array(tape.out.bytes)
        for count in 0..<all.count {
            let shorter = all.prefix(count).withUnsafeBytes { replayed($0) }
            #expect(told.lines.starts(with: shorter) || shorter.count <= told.lines.count)
            for byte: UInt8 in [0, 6, 0x7f, 0xff] {
                var changed = all
                changed[count] = byte
                _ = changed.withUnsafeBytes { replayed($0) }
            }
        }
    }

    private func replayed(_ tape: UnsafeRawBufferPointer) -> [String] {
        let told = Told()
        var reader = EventTapeReader(tape, names: bytes("names"), includesUsage: false)
        while reader.next(told) {}
        return told.lines
    }
}
