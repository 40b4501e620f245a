import Engine
import Shared

/// Parses the response to a streamed chat call to 1min.ai: events, or one JSON record in place of a stream.
///
/// `@unchecked`: used on its event loop only, and `parser` is never used across a suspension.
final class OneMinReader: WireReader, @unchecked Sendable {
    private let parser: JSONParser
    private var repeats = RepeatGuard()
    private var progress: ProgressFilter?
    /// The bytes of a character whose rest has not arrived yet.
    private var split = ByteBuffer()
    private var finishReason = FinishReason.stop
    private(set) var usage: Usage?
    private(set) var credits: Int?
    private var hasRecord = false
    /// The error that an event of another name or form may be. It is one if no record follows; nil if there is none.
    private var possibleError: Indirect<UpstreamError>?

    /// The bytes before the text in a usual `content` event; `closing` contains the bytes after the text.
    private static let opening: StaticString = "event: content\ndata: {\"content\":\""
    private static let closing: StaticString = "\"}\n\n"

    init(_ parser: JSONParser, searchesWeb: Bool) {
        self.parser = parser
        progress = searchesWeb ? ProgressFilter() : nil
    }

    /// Always true: a stream without any output is cut as well.
    let hasBegun = true
    /// Always false: text may follow the record, and a connection that breaks before `done` is a failure.
    let isFinished = false
    /// The stream may end after the record, without `done`.
    var isWhole: Bool { hasRecord }
    let isStrict = true

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool {
        guard
            let text = events.text(between: UnsafeRawBufferPointer(Self.opening), UnsafeRawBufferPointer(Self.closing))
        else { return false }
        pass(text, isPlain: true, emit)
        return true
    }

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        let isDone = event.data.equals("[DONE]")
        switch event.name {
        case "content": try content(event.data, emit)
        case "result": try result(event.data, emit)
        case "error": throw UpstreamError(ofEvent: event.data, parser, of: .chat)
        case "done",
            "message" where isDone, "" where isDone:
            if !hasRecord, let possibleError { throw possibleError.value }
            guard hasRecord || !repeats.isEmpty else {
                throw .invalidResponse("the vendor's stream has neither text nor a record")
            }
            return true
        default: readUnknown(event.data)
        }
        return false
    }

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let record = try OneMinRecord(body, parser)
        report(record)
        emitText(record.text, emit)
    }

    private func content(_ data: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        if let root = try? parser.parse(data), root.kind == .object {
            guard let text = root["content"]?.text ?? root["delta"]?["content"]?.text else { return readUnknown(data) }
            pass(text, emit)
        } else if data.first == UInt8(ascii: "{") {
            throw .invalidResponse("a content event of the vendor is not JSON")
        } else {
            // Plain text may be split within a character.
            split.append(data)
            let whole = split.bytes.count - split.bytes.lengthOfCutCharacter
            pass(split.bytes[part: 0..<whole], emit)
            split.removeFirst(whole)
        }
    }

    @inline(never)  // Rarely called.
    private func readUnknown(_ data: UnsafeRawBufferPointer) {
        guard let root = try? parser.parse(data), root.containsError || VendorError(root, status: 0).isFailure
        else { return }
        possibleError = Indirect(UpstreamError(ofEvent: data, parser, of: .chat))
    }

    private func pass(_ text: UnsafeRawBufferPointer, isPlain: Bool = false, _ emit: Emit) {
        guard !text.isEmpty else { return }
        if possibleError != nil { possibleError = nil }
        if repeats.isHolding, let released = repeats.releaseHeld() { emitText(released.bytes, emit) }
        if !repeats.holds(text) { emitText(text, isPlain: isPlain, emit) }
    }

    private func result(_ data: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        let record = try OneMinRecord(data, parser)
        hasRecord = true
        report(record)
        // The record may have no text although text was streamed.
        if usage?.completionTokens == 0, !repeats.isEmpty { usage = nil }
        if repeats.isEmpty {
            emitText(record.text, emit)
        } else if let genuine = repeats.releaseHeld(provenBy: record.text) {
            emitText(genuine.bytes, emit)
        }
    }

    private func report(_ record: OneMinRecord) {
        (usage, credits, finishReason) = (record.usage, record.credits, record.finish)
    }

    func end(_ emit: Emit) {
        progress?.finish { emit(0, .text($0)) }
        emit(0, .finish(finishReason, stop: nil))
    }

    private func emitText(_ text: UnsafeRawBufferPointer, isPlain: Bool = false, _ emit: Emit) {
        if text.isEmpty { return }
        if progress == nil {
            emit(0, .text(text, isPlain: isPlain))
        } else {
            progress?.consume(text) { emit(0, .text($0)) }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The length of the incomplete UTF-8 character at the end, from 0 to 3 bytes.
    fileprivate var lengthOfCutCharacter: Int {
        for length in 1...3 where length <= count {
            let byte = self[count - length]
            if byte & 0xc0 == 0x80 { continue }
            let needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return needed > length ? length : 0
        }
        return 0
    }
}
