import Engine
import Shared
import Testing
import Upstream

@testable import Routes

/// A writer that records the events it receives.
private final class RecordedEvents: ChatStreamWriter, @unchecked Sendable {
    var lines: [String] = []

    func write(_ choice: Int, _ event: ChatEvent) {
        func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
        let line =
            switch event {
            case .text(let bytes, _): "text \(text(bytes))"
            case .reasoning(let bytes): "reasoning \(text(bytes))"
            case .refusal(let bytes): "refusal \(text(bytes))"
            case .toolCall(let index, let id, let name): "call \(index) \(text(id)) \(text(name))"
            case .toolArguments(let index, let bytes): "arguments \(index) \(text(bytes))"
            case .signature(let call, let bytes): "signature \(call ?? -1) \(text(bytes))"
            case .encryptedReasoning(let bytes): "sealed \(text(bytes))"
            case .message(let phase): "message \(phase.map { "\($0)" } ?? "-")"
            case .annotation(let bytes): "annotation \(text(bytes))"
            case .comment(let bytes): "note \(text(bytes))"
            case .finish(let reason, let stop): "finish \(reason) \(stop.map(text) ?? "-")"
            case .native(_, let bytes): "native \(text(bytes))"
            }
        lines.append("\(choice) \(line)")
    }

    func begin(with text: StaticString) { lines.append("begin '\(text)'") }
    func ping() {}
    var isFull: Bool { false }
    func flush() {}
    func end(_ usage: Usage) async {}
}

@Suite struct CachedEventsTests {
    private func bytes(_ text: String) -> Body { Body(ByteBuffer(text)) }

    private func response() -> ChatResponse {
        var first = ChatResponse.Choice(text: bytes("a text"), finish: .length)
        first.stop = bytes("END")
        first.refusal = bytes("no")
        let sealed = ReasoningBlock("", signature: "sealed", isSealed: true, afterTextBytes: 3)
        first.reasoningBlocks = [ReasoningBlock("hm", signature: "sig"), sealed].compactMap(\.self)
        first.marks = [
            OutputMark(.message(.commentary), afterTextBytes: 0, afterCalls: 0, afterReasoning: 1),
            OutputMark(.annotation(bytes("{}")), afterTextBytes: 2, afterCalls: 0, afterReasoning: 1),
            OutputMark(.message(nil), afterTextBytes: 3, afterCalls: 0, afterReasoning: 2),
            OutputMark(.annotation(bytes("{}")), afterTextBytes: 5, afterCalls: 0, afterReasoning: 2),
        ]
        var second = ChatResponse.Choice(text: bytes("abc"), finish: .toolCalls)
        second.reasoning = bytes("because")
        var call = ToolCall(id: "call_1", name: "look", arguments: "{}")
        (call.signature, call.contentBefore) = ("s", 2)
        var old = ToolCall(id: nil, name: "old", arguments: "")
        old.contentBefore = 3
        second.toolCalls = [call, old]
        return ChatResponse([first, second], usage: nil)
    }

    private func cachedEvents(_ response: ChatResponse) throws -> [UInt8] {
        let log = try #require(response.cachedEvents)
        return withExtendedLifetime(log) { Array(log.bytes) }
    }

    @Test("a whole answer is read as it was written; cut anywhere it is no answer, or a shorter one")
    func whole() throws {
        let response = response()
        let all = try cachedEvents(response)
        var usage = Usage(promptTokens: 1, completionTokens: 300)
        usage.reasoningTokens = 7
        let stored = try #require(CachedResponse(all.withUnsafeBytes { CachedResponse.written(usage, "model-1", $0) }))
        #expect(
            stored.servedModel == "model-1" && stored.usage.completionTokens == 300 && stored.usage.reasoningTokens == 7
        )
        #expect(!stored.hasOpening)
        #expect(ChatResponse(cached: stored.bytes, ByteBuffer()).map { shown($0.choices) } == shown(response.choices))
        usage.promptTokens = 1 << 62
        #expect(CachedResponse(all.withUnsafeBytes { CachedResponse.written(usage, "model-1", $0) }) == nil)
        for count in 0..<all.count {
            all.prefix(count).withUnsafeBytes { cut in
                let shorter = ChatResponse(cached: cut, ByteBuffer()).map { shown($0.choices) }
                #expect(shorter != shown(response.choices))
            }
            // A changed byte makes another answer or none.
            for byte: UInt8 in [0, 6, 0x7f, 0xff] {
                var changed = all
                changed[count] = byte
                changed.withUnsafeBytes { _ = ChatResponse(cached: $0, ByteBuffer()) }
            }
        }
    }

    @Test("an entry of another version is none")
    func version() throws {
        let all = try cachedEvents(response())
        let stored = all.withUnsafeBytes { CachedResponse.written(.nothing, "m", hasOpening: true, $0) }
        #expect(CachedResponse(stored)?.hasOpening == true)
        for version: UInt8 in [0, 6, 8] {
            var old = Array(stored.bytes)
            old[0] = version
            #expect(CachedResponse(old.withUnsafeBytes { Body(copying: $0) }) == nil)
        }
    }

    @Test("an answer of a filter is not written")
    func filter() {
        for reason in [FinishReason.contentFilter, .refusal] {
            #expect(ChatResponse([.init(text: bytes("a"), finish: reason)], usage: nil).cachedEvents == nil)
        }
    }

    @Test("a vendor's own answer gets other names")
    func original() throws {
        var response = response()
        response.original = bytes(
            #"{"id":"chatcmpl-a","object":"chat.completion","created":1,"model":"m","choices":[],"x":1}"#
        )
        let all = try cachedEvents(response)
        let read = all.withUnsafeBytes { ChatResponse(cached: $0, ByteBuffer(#"{"id":"b""#)) }
        #expect(read?.original?.text == #"{"id":"b","choices":[],"x":1}"#)
        response.original = bytes(#"{"choices":[]}"#)
        #expect(response.cachedEvents == nil)
    }

    @Test("events are told again; cut anywhere fewer are")
    func events() {
        let log = EventLog()
        let reported = RecordedEvents()
        func write(_ choice: Int, _ event: ChatEvent) {
            log.append(choice, event)
            reported.write(choice, event)
        }
        let (a, b, rest) = (bytes("aa"), bytes(""), bytes("-rest"))
        write(0, .reasoning(a.bytes))
        write(1, .text(a.bytes))
        write(0, .text(a.bytes, isPlain: true))
        write(0, .toolCall(index: 2, id: a.bytes, name: b.bytes))
        write(0, .finish(.toolCalls, stop: nil))
        log.append(0, .native(.chat, rest.bytes))
        reported.lines.append("0 native names-rest")
        log.append(-1, .native(.chat, a.bytes))
        #expect(replayed(log.bytes) == reported.lines)
        let all = Array(log.bytes)
        for count in 0..<all.count {
            let shorter = all.prefix(count).withUnsafeBytes { replayed($0) }
            #expect(reported.lines.starts(with: shorter) || shorter.count <= reported.lines.count)
        }
    }

    private func replayed(_ events: UnsafeRawBufferPointer) -> [String] {
        let reported = RecordedEvents()
        var reader = CachedEventReader(events, names: bytes("names"), includesUsage: false)
        while reader.next(reported) {}
        return reported.lines
    }
}
