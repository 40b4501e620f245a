import Engine
import Shared

/// The vendor's named events (`content`, `result`, `done`, `error`), or the JSON record that it may send in their
/// place.
///
/// `@unchecked`: used on its loop only; `parser` never across a suspension.
final class OneMinStream: ChatStream, @unchecked Sendable {
    private let stream: any UpstreamStream
    private let parser: JSONParser
    private var events = EventStreamParser()
    private var incoming = ByteBuffer()
    /// A record in place of a stream.
    private var whole = ByteBuffer()
    private var repeats = RepeatGuard()
    private var progress: ProgressFilter?
    private var split = ByteBuffer()
    private var hasRecord = false
    private var isDone = false
    private var isOver = false
    private(set) var usage: Usage?
    private(set) var credits: Int?

    /// Of one event, or of a record in place of a stream.
    static let eventLimitBytes = 4_194_304

    init(_ stream: any UpstreamStream, _ parser: JSONParser, searchesWeb: Bool) {
        self.stream = stream
        self.parser = parser
        progress = searchesWeb ? ProgressFilter() : nil
    }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if isDone { return .end }
        let arrival: Arrival
        do throws(TransportError) {
            arrival = try await stream.more(patienceNanoseconds: patienceNanoseconds)
        } catch {
            throw UpstreamError(error)
        }
        switch arrival {
        case .silence: return .silence
        case .bytes:
            stream.take(into: &incoming)
            if stream.head.isEventStream { events.append(&incoming) } else { takeRecordPart() }
            guard max(events.waitingBytes, whole.count) <= Self.eventLimitBytes else {
                throw UpstreamError(.failed, cause: "one event of the vendor's is too large")
            }
            return .bytes
        case .end:
            isOver = true
            if stream.head.isEventStream, !hasRecord {
                var error = UpstreamError(.failed, cause: "the vendor's stream was cut")
                error.isCut = true
                throw error
            }
            if stream.head.isEventStream { isDone = true }
            return .bytes
        }
    }

    private func takeRecordPart() {
        whole.append(incoming.bytes)
        incoming.removeAll()
    }

    func next(_ piece: (UnsafeRawBufferPointer) -> Void) throws(UpstreamError) -> Bool {
        guard stream.head.isEventStream else { return try nextOfRecord(piece) }
        if isOver, isDone { return false }
        return try events.next { (name, data) throws(UpstreamError) in
            if isDone { return }
            switch name {
            case .content: try content(data, piece)
            case .result: try result(data, piece)
            case .done: finish(piece)
            case .error: throw UpstreamError(ofEvent: data, parser)
            case .message: if data.equals("[DONE]") { finish(piece) }
            case .other: break
            }
        }
    }

    private func nextOfRecord(_ piece: (UnsafeRawBufferPointer) -> Void) throws(UpstreamError) -> Bool {
        guard isOver, !isDone else { return false }
        isDone = true
        let record = try OneMinRecord(whole.bytes, parser)
        usage = record.usage
        credits = record.credits
        emit(record.text, piece)
        flush(piece)
        return true
    }

    private func content(
        _ data: UnsafeRawBufferPointer,
        _ piece: (UnsafeRawBufferPointer) -> Void
    ) throws(UpstreamError) {
        if let text = data.plainMember(#"{"content":""#) {
            take(text, piece)
        } else if let root = try? parser.parse(data), root.kind == .object {
            guard let text = root["content"]?.text ?? root["delta"]?["content"]?.text else { return }
            take(text, piece)
        } else if data.first == UInt8(ascii: "{") {
            throw UpstreamError(.failed, cause: "a content event of the vendor's is not JSON")
        } else {
            // Plain text, whose characters may be cut.
            split.append(data)
            let whole = split.bytes.count - split.bytes.lengthOfCutCharacter
            take(split.bytes[part: 0..<whole], piece)
            split.removeFirst(whole)
        }
    }

    private func take(_ text: UnsafeRawBufferPointer, _ piece: (UnsafeRawBufferPointer) -> Void) {
        guard !text.isEmpty else { return }
        if let released = repeats.releaseHeld() { emit(released.bytes, piece) }
        if !repeats.holds(text) { emit(text, piece) }
    }

    private func result(
        _ data: UnsafeRawBufferPointer,
        _ piece: (UnsafeRawBufferPointer) -> Void
    ) throws(UpstreamError) {
        let record = try OneMinRecord(data, parser)
        hasRecord = true
        usage = record.usage
        credits = record.credits
        if repeats.isEmpty {
            emit(record.text, piece)
        } else if let genuine = repeats.releaseHeld(provenBy: record.text) {
            emit(genuine.bytes, piece)
        }
    }

    private func finish(_ piece: (UnsafeRawBufferPointer) -> Void) {
        isDone = true
        flush(piece)
    }

    private func emit(_ text: UnsafeRawBufferPointer, _ piece: (UnsafeRawBufferPointer) -> Void) {
        if progress == nil { piece(text) } else { progress?.take(text, piece) }
    }

    private func flush(_ piece: (UnsafeRawBufferPointer) -> Void) { progress?.finish(piece) }

    func stop() { stream.stop(isComplete: isDone) }
}

extension UnsafeRawBufferPointer {
    /// Bytes at the end that begin a character of UTF-8 without completing it; 0 to 3.
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
