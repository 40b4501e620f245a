import Calls
import Engine
import Shared

/// An answer that goes on as it comes: JSON and events with the model's name replaced, other content untouched.
///
/// `@unchecked`: used on its loop only.
final class ForwardedReply: ForwardedAnswer, @unchecked Sendable {
    private enum Form { case json, events, bytes }
    let mediaType: String
    private let stream: any UpstreamStream
    private let parser: JSONParser
    private let form: Form
    private var scanner: MemberScanner
    /// Read and not yet taken.
    private var waiting = ByteBuffer()
    private var piece = ByteBuffer()
    private var isEnded = false
    private(set) var usage: Usage?
    // The line of an event that is coming.
    private var line = ByteBuffer()
    private var carried = ByteBuffer()
    private var isInData = false
    private var isInLine = false
    private var isError = false
    /// An event with data has ended.
    private var hasEvent = false

    /// Of what is read before it is known that an answer is none.
    private static let openingLimitBytes = 262_144

    init(_ stream: any UpstreamStream, _ request: ForwardedRequest, _ parser: JSONParser) {
        self.stream = stream
        self.parser = parser
        mediaType = stream.mediaType
        form =
            if stream.head.isEventStream {
                .events
            } else if request.endpoint.answers == .json || stream.head.isJSON {
                .json
            } else {
                .bytes
            }
        scanner = MemberScanner(model: request.model)
    }

    var isEventStream: Bool { form == .events }

    /// Reads on until it is known that this is an answer.
    ///
    /// - Throws: the failure that came in its place.
    func begin(_ endpoint: ForwardedEndpoint) async throws(UpstreamError) {
        let isWrong =
            switch (endpoint.answers, form) {
            case (.sound, .json): true
            case (_, .bytes): mediaType.utf8.starts(with: "text/html".utf8)
            default: false
            }
        while !isEnded, waiting.count < Self.openingLimitBytes, isWrong || !isKnown { try await read() }
        if form == .json, scanner.isBroken || isEnded && !scanner.isWhole { throw broken }
        if isError || scanner.tellsFailure || isWrong { throw failure() }
        if waiting.isEmpty || form == .events && !hasEvent { throw broken }
    }

    private var isKnown: Bool {
        switch form {
        case .json: scanner.members > 0 || scanner.isBroken
        case .events: hasEvent
        case .bytes: !waiting.isEmpty
        }
    }

    private var broken: UpstreamError { .brokenAnswer("the vendor's answer is not of the form that was asked for") }

    private func failure() -> UpstreamError {
        guard !scanner.error.isEmpty else { return broken }
        var told = ByteBuffer()
        told.append(#"{"error":"#)
        told.append(scanner.error.bytes)
        told.append("}")
        return FaultReader(parser, Fault.openAI, tellsFields: false).error(ofEvent: told.bytes)
    }

    // MARK: As it comes

    func more() async throws(UpstreamError) -> Bool {
        while waiting.isEmpty, !isEnded { try await read() }
        return !waiting.isEmpty
    }

    func take(into buffer: inout ByteBuffer) { swap(&buffer, &waiting) }

    func stop() { stream.stop(isComplete: isEnded) }

    private func read() async throws(UpstreamError) {
        do throws(TransportError) {
            guard try await stream.more(patienceNanoseconds: .max / 2) != .end else {
                isEnded = true
                waiting.append(carried.bytes)
                noteUsage()
                if form == .json, !scanner.isWhole { throw TransportError(.broken) }
                return
            }
        } catch {
            throw UpstreamError(error)
        }
        stream.take(into: &piece)
        switch form {
        case .bytes: waiting.append(piece.bytes)
        case .json: scanner.take(piece.bytes, into: &waiting)
        case .events: takeLines()
        }
        piece.removeAll()
    }

    // MARK: Events

    private func takeLines() {
        if !carried.isEmpty {
            carried.append(piece.bytes)
            swap(&piece, &carried)
            carried.removeAll()
        }
        let bytes = piece.bytes
        var start = 0
        while start < bytes.count {
            let rest = bytes[part: start..<bytes.count]
            let newline = rest.firstNewline()
            // The name of a line may be cut.
            if newline == nil, !isInLine, rest.count < 5 {
                carried.append(rest)
                return
            }
            let end = newline.map { start + $0 + 1 } ?? bytes.count
            take(part: bytes[part: start..<end])
            start = end
        }
    }

    /// Of one line, or all of it.
    private func take(part: UnsafeRawBufferPointer) {
        let ends = part.last == 10
        if isInData {
            scanner.take(part, into: &waiting)
        } else if !isInLine, part.hasPrefix("data:") {
            waiting.append("data:")
            scanner.restart()
            scanner.take(part[part: 5..<part.count], into: &waiting)
            isInData = true
        } else {
            waiting.append(part)
            if line.count < 64 { line.append(part[part: 0..<min(64, part.count)]) }
        }
        isInLine = !ends
        guard ends else { return }
        if isInData {
            hasEvent = true
            noteUsage()
            if scanner.tellsFailure { isError = true }
        } else if line.bytes.trimmed.equals("event: error") {
            isError = true
        }
        isInData = false
        line.removeAll()
    }

    // MARK: Usage

    private func noteUsage() {
        guard !scanner.usage.isEmpty, let told = try? parser.parse(scanner.usage.bytes) else { return }
        usage = Usage(ofForwarded: told) ?? usage
    }
}

extension Usage {
    /// In the names of chat, embeddings, images or transcripts; nil: it tells no tokens.
    fileprivate init?(ofForwarded told: JSONValue) {
        guard let prompt = told["prompt_tokens"]?.tokens ?? told["input_tokens"]?.tokens else { return nil }
        self.init(
            promptTokens: prompt,
            completionTokens: told["completion_tokens"]?.tokens ?? told["output_tokens"]?.tokens ?? 0
        )
    }
}
