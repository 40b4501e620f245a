import Engine
import Shared

/// Parses the response to one call in a vendor's format, whole or as a stream of events.
protocol WireReader: AnyObject, Sendable {
    typealias Emit = (_ choice: Int, ChatEvent) -> Void

    /// The usage that the vendor has reported; nil if it has reported none. If it reports a count several
    /// times, the last one counts.
    var usage: Usage? { get }
    /// The models that worked on the response, if it was not the requested one alone; nil if it was.
    var models: ModelUsages? { get }
    /// The credits that the response cost; nil if the vendor has not reported any.
    var credits: Int? { get }
    /// Whether the reader has received output of the response or its finish reason.
    var hasBegun: Bool { get }
    /// Whether all output has arrived. Only the usage can still follow.
    var isFinished: Bool { get }
    /// Whether the response is complete. The stream can then end without an end mark such as `[DONE]`.
    var isWhole: Bool { get }
    /// Whether events are read by the standard: an event with empty data counts, and a last event without the empty line
    /// after it does not. If false, it is the other way round.
    var isStrict: Bool { get }
    /// The largest stream event that is accepted, in bytes.
    var eventLimitBytes: Int { get }
    /// Emits the next event if it is only text. Otherwise returns false and does not consume the event.
    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool
    /// Parses one event and emits its content. Returns whether the event is the end mark of the stream.
    /// - Parameter event: its data, which is empty only if `isStrict`, must be in a `ByteBuffer`, as the JSON parser
    ///   requires.
    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool
    /// Parses a complete response that the vendor sent in place of a stream, and emits its content.
    /// - Parameter body: must be in a `ByteBuffer`, as the JSON parser requires.
    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError)
    /// Ends the response: emits the remaining events.
    func end(_ emit: Emit) throws(UpstreamError)
    /// Parses the complete response to a request without a stream, and emits all its events.
    ///
    /// Returns the JSON that the client gets in place of the events; nil if the client has another API.
    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body?
    /// The latest part of the response, if the vendor paused the response after this part; otherwise nil.
    var pause: PausedResponse? { get }
    /// Prepares the reader for the next part of a paused response.
    func goOn()
}

/// A part of a response after which the vendor paused. The rest must be requested.
final class PausedResponse: Sendable {
    /// The content of this part of the response, as JSON that the next request repeats.
    let content: Body
    /// The usage of this part of the response and of all parts before it; nil if it is unknown.
    let usage: Usage?
    /// The models that worked on these parts; nil if it was the requested one alone.
    let models: ModelUsages?

    init(_ content: Body, usage: Usage?, models: ModelUsages? = nil) {
        self.content = content
        self.usage = usage
        self.models = models
    }
}

extension WireReader {
    var models: ModelUsages? { nil }
    var credits: Int? { nil }
    var isWhole: Bool { isFinished }
    var isStrict: Bool { false }
    var eventLimitBytes: Int { WireStream.eventLimitBytes }
    var pause: PausedResponse? { nil }
    func goOn() {}

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        try consume(whole: body.bytes, emit)
        guard hasBegun else { throw .invalidResponse("the vendor's response has no candidate") }
        try end(emit)
        return nil
    }

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool { false }

    /// Returns whether an event is consumed: one with empty data is so only if `isStrict`.
    func counts(_ event: EventStreamParser.Event) -> Bool { isStrict || !event.data.isEmpty }

    /// Consumes an event, in which half surrogate pairs are joined or replaced. Without such halves a failure stays.
    func consume(
        _ event: EventStreamParser.Event,
        joining pairs: inout SurrogatePairJoiner,
        _ emit: Emit
    ) throws(UpstreamError) -> Bool {
        do throws(UpstreamError) {
            return try consume(event, emit)
        } catch {
            guard let data = pairs.rewritten(event.data) else { throw error }
            return try consume(EventStreamParser.Event(data, named: event.name), emit)
        }
    }

    /// Reads a complete response in any form: some servers send a stream although none was requested.
    func readAny(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        var pairs = SurrogatePairJoiner()
        guard body.bytes.beginsEvents else {
            do throws(UpstreamError) {
                return try read(whole: body, emit)
            } catch {
                guard let data = pairs.rewritten(body.bytes, isWhole: true) else { throw error }
                return try read(whole: Body(copying: data), emit)
            }
        }
        var events = EventStreamParser()
        var lines = LineEndConverter()
        var bytes = ByteBuffer()
        bytes.append(body.bytes)
        if !isStrict { bytes.append("\n\n") }
        lines.unify(&bytes)
        events.append(&bytes)
        var isEnded = false
        while !isEnded, let event = events.next() {
            if counts(event) { isEnded = try consume(event, joining: &pairs, emit) }
        }
        guard hasBegun, isEnded || isWhole else { throw .invalidResponse("the vendor's stream was cut") }
        try end(emit)
        return nil
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes begin an event stream.
    var beginsEvents: Bool {
        guard let first = firstIndex(where: { $0 > 32 }), self[first] != UInt8(ascii: "{") else { return false }
        let start = self[part: first..<count]
        return ["data:", "event:", ":", "id:", "retry:"].contains { (field: StaticString) in start.hasPrefix(field) }
    }
}

/// A reader that passes on the events of another reader. It can look at each event, or replace it.
protocol WireReaderDecorator: WireReader {
    var inner: any WireReader { get }
    /// Emits an event of the inner reader, or another event in its place.
    func pass(_ choice: Int, _ event: ChatEvent, _ emit: Emit)
}

extension WireReaderDecorator {
    var usage: Usage? { inner.usage }
    var models: ModelUsages? { inner.models }
    var credits: Int? { inner.credits }
    var hasBegun: Bool { inner.hasBegun }
    var isFinished: Bool { inner.isFinished }
    var isWhole: Bool { inner.isWhole }
    var isStrict: Bool { inner.isStrict }
    var eventLimitBytes: Int { inner.eventLimitBytes }
    var pause: PausedResponse? { inner.pause }

    func goOn() { inner.goOn() }

    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool {
        inner.consumeText(from: &events, emit)
    }

    func consume(_ event: EventStreamParser.Event, _ emit: Emit) throws(UpstreamError) -> Bool {
        try inner.consume(event) { pass($0, $1, emit) }
    }

    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError) {
        try inner.consume(whole: body) { pass($0, $1, emit) }
    }

    func end(_ emit: Emit) throws(UpstreamError) { try inner.end { pass($0, $1, emit) } }

    func read(whole body: Body, _ emit: Emit) throws(UpstreamError) -> Body? {
        try inner.read(whole: body) { pass($0, $1, emit) }
    }
}

extension UpstreamError {
    static func invalidResponse(_ cause: String) -> UpstreamError { UpstreamError(.failed, cause: cause) }

    /// Returns the error with the usage of the response, unless the error already has a usage.
    func after(_ usage: Usage?) -> UpstreamError {
        var error = self
        error.usage = error.usage ?? usage
        return error
    }
}

extension JSONParser {
    /// Parses a vendor's response or stream event. Throws an `UpstreamError` if the data is not JSON.
    func value(ofResponse data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        do throws(JSONError) {
            return try parse(data)
        } catch {
            throw .invalidResponse("the vendor's response is not JSON")
        }
    }

    /// Parses a vendor's response or stream event. Throws an `UpstreamError` if the data is no JSON object.
    func response(_ data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        let root = try value(ofResponse: data)
        try root.checkResponse()
        return root
    }
}

extension JSONValue {
    func checkResponse() throws(UpstreamError) {
        guard kind == .object else { throw .invalidResponse("the vendor's response is not an object") }
    }

    /// Whether the JSON object is an error and not a response.
    var containsError: Bool {
        guard let error = self["error"] else { return false }
        return error.kind == .object || error.text?.isEmpty == false || error.flag == true || error.count > 0
    }

    /// The value as a number of tokens; nil if the value is no plausible number.
    var tokens: Int? {
        guard let number, (0..<Self.tokenLimit).contains(number) else { return nil }
        return Int(number)
    }

    private static let tokenLimit = Double(1 << 40)
}

/// Converts the line ends CR and CR LF of an event stream to LF.
struct LineEndConverter {
    private var endsWithReturn = false

    mutating func unify(_ bytes: inout ByteBuffer) {
        guard endsWithReturn || bytes.bytes.first(13) != nil else { return }
        var out = ByteBuffer()
        _ = out.reserve(bytes.count)
        for byte in bytes.bytes {
            if byte != 10 || !endsWithReturn { out.append(byte == 13 ? 10 : byte) }
            endsWithReturn = byte == 13
        }
        swap(&bytes, &out)
    }
}
