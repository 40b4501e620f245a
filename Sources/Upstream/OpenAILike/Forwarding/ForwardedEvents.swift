import Engine
import Shared

/// The event stream of a forwarded response. An event is held back until it is clear that it is not an error.
struct ForwardedEvents: ~Copyable {
    private var scanner: MemberScanner
    private let parser: JSONParser
    private(set) var usage: Usage?
    private(set) var models: ModelUsages?
    /// Whether the vendor sent an error. The error is not forwarded.
    private(set) var isFailure = false
    private(set) var hasData = false
    /// Whether at least one event had a type that OpenAI defines, such as `speech.audio.delta`.
    private var isTyped = false
    private var isFinished = false
    /// Whether the stream ended in the middle of an event's JSON.
    private var isBrokenOff = false
    private var coming = ByteBuffer()
    private var dataStart: Int?
    private var isNamedError = false
    private var hasDataLine = false
    /// Whether the first part of the event that is arriving was already forwarded.
    private var isPartlyOut = false
    /// Whether the line end after a data line is not written yet.
    private var hasPendingLineEnd = false
    private var ends = LineEndConverter()
    private var isAtStart = true
    // The line that is arriving.
    private var line = ByteBuffer()
    private var carried = ByteBuffer()
    private var isInData = false
    private var isInLine = false

    /// The largest size of an event that is held back as a possible error, in bytes.
    static let failureLimitBytes = 65_536

    init(model: String, _ parser: JSONParser) {
        scanner = MemberScanner(model: model)
        self.parser = parser
    }

    /// Whether the stream ended in the middle of an event or lacks its last event. Only streams with OpenAI's event
    /// types have a known last event.
    var isUnfinished: Bool { !isFinished && (isTyped || isBrokenOff) }

    /// Consumes the received bytes in `piece`, and appends to `out` the bytes that can be forwarded. Changes `piece`.
    mutating func consume(_ piece: inout ByteBuffer, into out: inout ByteBuffer) {
        ends.unify(&piece)
        if !carried.isEmpty {
            carried.append(piece.bytes)
            swap(&piece, &carried)
            carried.removeAll()
        }
        let bytes = piece.bytes
        var start = 0
        while start < bytes.count, !isFailure {
            let rest = bytes[part: start..<bytes.count]
            let newline = rest.firstNewline()
            // The name of the line may be incomplete.
            if newline == nil, !isInLine, rest.count < 6 {
                carried.append(rest)
                return
            }
            if isAtStart {
                isAtStart = false
                if rest.starts(with: MemberScanner.byteOrderMark) {
                    start += MemberScanner.byteOrderMark.count
                    continue
                }
            }
            let end = newline.map { start + $0 + 1 } ?? bytes.count
            consume(chunk: bytes[part: start..<end], &out)
            start = end
        }
    }

    /// Consumes a line, or a part of a line.
    private mutating func consume(chunk part: UnsafeRawBufferPointer, _ out: inout ByteBuffer) {
        let ends = part.last == 10
        if isInData {
            consume(data: part)
        } else if !isInLine, part.hasPrefix("data:") {
            beginData()
            consume(data: part[part: 5..<part.count])
        } else if !isInLine, part.hasPrefix("error:") {
            // See `EventStreamParser`.
            isNamedError = true
            beginData()
            consume(data: part[part: 6..<part.count])
        } else {
            appendPendingLineEnd()
            coming.append(part)
            if line.count < 64 { line.append(part[part: 0..<min(64, part.count)]) }
        }
        isInLine = !ends
        if ends { endLine(&out) } else if coming.count > Self.failureLimitBytes { releaseHeldEvent(part: &out) }
    }

    private mutating func beginData() {
        isInData = true
        if hasPendingLineEnd {
            hasPendingLineEnd = false
            scanner.consume(UnsafeRawBufferPointer(" "), into: &coming)
            return
        }
        coming.append("data:")
        guard !hasDataLine else { return }
        hasDataLine = true
        dataStart = coming.count
        scanner.restart()
    }

    private mutating func consume(data: UnsafeRawBufferPointer) {
        guard data.last == 10 else { return scanner.consume(data, into: &coming) }
        scanner.consume(data[part: 0..<(data.count - 1)], into: &coming)
        hasPendingLineEnd = true
        if !scanner.isWithin { appendPendingLineEnd() }
    }

    private mutating func appendPendingLineEnd() {
        if hasPendingLineEnd { coming.append(10) }
        hasPendingLineEnd = false
    }

    private mutating func endLine(_ out: inout ByteBuffer) {
        while let last = line.bytes.last, last <= 32 { line.removeLast(1) }
        if line.bytes.equals("event: error") || line.bytes.equals("event:error") { isNamedError = true }
        if line.isEmpty, !isInData {
            endEvent(&out)
        } else if coming.count > Self.failureLimitBytes {
            releaseHeldEvent(part: &out)
        }
        isInData = false
        line.removeAll()
    }

    private mutating func endEvent(_ out: inout ByteBuffer) {
        if hasDataLine { recordData() }
        hasDataLine = false
        releaseHeldEvent(&out)
        isPartlyOut = false
    }

    /// The beginnings of OpenAI's event types, each with the opening quote of the JSON string.
    private static let kinds: [StaticString] = [
        "\"image_generation.", "\"image_edit.", "\"transcript.text.", "\"speech.audio.",
    ]

    private mutating func recordData() {
        var isLast = false
        models = scanner.models(parser) ?? models
        let type = scanner.type.bytes
        for kind in Self.kinds where type.hasPrefix(UnsafeRawBufferPointer(kind)) {
            isTyped = true
            let last = type[part: kind.utf8CodeUnitCount..<type.count]
            if last.equals("completed\"") || last.equals("done\"") { isLast = true }
        }
        if let reported = scanner.usage(parser) {
            // Each of several images ends with an event that has the usage of this image.
            usage = isLast && isFinished ? (usage ?? .nothing) + reported : reported
        }
        isFinished = isFinished || isLast
    }

    /// Forwards the held bytes of an incomplete event, which is already too long to be an error.
    private mutating func releaseHeldEvent(part out: inout ByteBuffer) {
        releaseHeldEvent(&out)
        isPartlyOut = !isFailure
    }

    private mutating func releaseHeldEvent(_ out: inout ByteBuffer) {
        guard !scanner.isErrorResponse, !isNamedError else {
            isFailure = true
            // A part of the event was forwarded, so it must be ended.
            if isPartlyOut { out.append("\n\n") }
            return
        }
        if dataStart != nil { hasData = true }
        dataStart = nil
        if out.isEmpty {
            swap(&out, &coming)
        } else {
            out.append(coming.bytes)
            coming.removeAll()
        }
    }

    /// Ends the stream. The last event counts as complete even without an empty line after it.
    mutating func end(into out: inout ByteBuffer) {
        isBrokenOff = hasDataLine && scanner.isWithin && !scanner.isErrorResponse && !isNamedError
        guard !isBrokenOff else { return breakOff(into: &out) }
        coming.append(carried.bytes)
        appendPendingLineEnd()
        if isInLine || !carried.isEmpty { coming.append(10) }
        if hasDataLine || isPartlyOut || !coming.isEmpty { coming.append(10) }
        endEvent(&out)
    }

    /// Discards the event that broke off. If its beginning was forwarded, appends an empty line.
    mutating func breakOff(into out: inout ByteBuffer) {
        coming.removeAll()
        if isPartlyOut { out.append("\n\n") }
    }

    /// Returns the error that the vendor sent, as JSON; nil if it sent no error.
    mutating func failure() -> ByteBuffer? {
        if let reported = scanner.failure() { return reported }
        guard dataStart != nil else { return nil }
        var event = EventStreamParser()
        coming.append("\n\n")
        event.append(&coming)
        guard let data = event.next()?.data else { return nil }
        var reported = ByteBuffer()
        reported.append(data)
        return reported
    }
}
