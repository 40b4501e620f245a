import Calls
import Engine
import Shared

/// Reads the response to one call, whole or event by event, in a vendor's form.
protocol WireReader: AnyObject, Sendable {
    typealias Emit = (_ choice: Int, ChatEvent) -> Void

    /// The usage that the vendor reported last; nil if none was reported.
    var usage: Usage? { get }
    /// Whether a part of the response has been emitted.
    var hasBegun: Bool { get }
    /// Whether all output has arrived, so that only the usage may follow.
    var isFinished: Bool { get }
    /// Whether the response is complete even if the stream ends without an end mark.
    var isWhole: Bool { get }
    /// The largest event that is accepted, in bytes.
    var eventLimitBytes: Int { get }
    /// Emits the next event if it contains text only, in a form that needs no parsing. Else leaves it and returns
    /// false.
    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool
    /// Consumes one event and emits its content.
    ///
    /// - Parameter data: bytes of a `ByteBuffer`; never empty.
    /// - Returns: whether the event is the end mark.
    func consume(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ emit: Emit
    ) throws(UpstreamError) -> Bool
    /// Consumes a whole response that the vendor sent instead of a stream.
    ///
    /// - Parameter body: bytes of a `ByteBuffer`.
    func consume(whole body: UnsafeRawBufferPointer, _ emit: Emit) throws(UpstreamError)
    /// Ends a stream that has begun.
    func end(_ emit: Emit) throws(UpstreamError)
    func response(_ body: Body) throws(UpstreamError) -> ChatResponse
    /// The last part of the response, if the vendor paused it; nil if it did not. Known at the end of the part.
    var pause: PausedResponse? { get }
    /// Continues with one more part instead of the end.
    func goOn()
}

/// A part of a response after which the vendor paused and must be called again.
final class PausedResponse: Sendable {
    /// The content of the part, in the form in which the vendor accepts it back.
    let content: Body
    /// The usage of this part and those before it; nil if unknown.
    let usage: Usage?

    init(_ content: Body, usage: Usage?) {
        self.content = content
        self.usage = usage
    }
}

extension WireReader {
    var eventLimitBytes: Int { WireStream.eventLimitBytes }
    var pause: PausedResponse? { nil }
    func goOn() {}
    func consumeText(from events: inout EventStreamParser, _ emit: Emit) -> Bool { false }
}

extension UpstreamError {
    static func invalidResponse(_ cause: String) -> UpstreamError { UpstreamError(.failed, cause: cause) }
}

extension UpstreamError {
    /// Returns the error of a response that has arrived, with its usage.
    ///
    /// - Parameter usage: the usage that the vendor reported; nil if it reported none.
    func after(_ usage: Usage?) -> UpstreamError {
        var error = self
        error.usage = error.usage ?? usage
        return error
    }

    /// Returns the error with the usage of an earlier call added.
    func alsoAfter(_ used: Usage?) -> UpstreamError {
        var error = self
        if let used { error.usage = used + (error.usage ?? .nothing) }
        return error
    }
}

extension JSONParser {
    /// Parses a response of the vendor, or an event of it, of any JSON type.
    func value(ofResponse data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        do throws(JSONError) {
            return try parse(data)
        } catch {
            throw .invalidResponse("the vendor's response is not JSON")
        }
    }

    /// Parses a response of the vendor, which must be a JSON object.
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

    /// Whether the object contains an error instead of a response.
    var containsError: Bool {
        guard let error = self["error"] else { return false }
        return error.kind == .object || error.text?.isEmpty == false
    }

    /// The value as a number of tokens; nil if it cannot be a number of tokens.
    var tokens: Int? {
        guard let number, (0..<Self.tokenLimit).contains(number) else { return nil }
        return Int(number)
    }

    private static let tokenLimit = Double(1 << 40)
}
