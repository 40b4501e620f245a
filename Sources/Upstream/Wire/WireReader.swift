import Calls
import Engine
import Shared

/// Reads the answer of one call, whole or event by event, in a vendor's form.
protocol WireReader: AnyObject, Sendable {
    typealias Take = (_ choice: Int, AnswerEvent) -> Void

    /// As the vendor told it last.
    var usage: Usage? { get }
    /// Something of the answer was told.
    var hasBegun: Bool { get }
    /// Nothing but the usage may still come.
    var isFinished: Bool { get }
    /// An end without a mark is a proper one.
    var isWhole: Bool { get }
    /// Of one event.
    var eventLimitBytes: Int { get }
    /// Tells the next event if it brings text alone, in a form that needs no reading; false: it was left there.
    func takeText(from events: inout EventStreamParser, _ take: Take) -> Bool
    /// - Parameter data: from a `ByteBuffer`; never empty.
    /// - Returns: the event is the mark of the end.
    func take(
        event data: UnsafeRawBufferPointer,
        named name: UnsafeRawBufferPointer,
        _ take: Take
    ) throws(UpstreamError) -> Bool
    /// A whole answer in place of a stream.
    ///
    /// - Parameter body: from a `ByteBuffer`.
    func take(whole body: UnsafeRawBufferPointer, _ take: Take) throws(UpstreamError)
    /// The end of the stream, which has begun.
    func end(_ take: Take) throws(UpstreamError)
    func answer(_ body: Body) throws(UpstreamError) -> ChatAnswer
    /// The last part of the answer, if its vendor wants to be asked to go on; known at its end.
    var pause: PausedAnswer? { get }
    /// One more part comes in place of the end.
    func goOn()
}

/// A part of an answer, after which its vendor wants to be asked to go on.
final class PausedAnswer: Sendable {
    /// All that it says, as its vendor takes it back.
    let content: Body
    /// Of this part and those before it; nil: not known.
    let usage: Usage?

    init(_ content: Body, usage: Usage?) {
        self.content = content
        self.usage = usage
    }
}

extension WireReader {
    var eventLimitBytes: Int { WireStream.eventLimitBytes }
    var pause: PausedAnswer? { nil }
    func goOn() {}
    func takeText(from events: inout EventStreamParser, _ take: Take) -> Bool { false }
}

extension UpstreamError {
    static func brokenAnswer(_ cause: String) -> UpstreamError { UpstreamError(.failed, cause: cause) }
}

extension UpstreamError {
    /// The same, of an answer that has come whole; `usage`: as its vendor told it.
    func after(_ usage: Usage?) -> UpstreamError {
        var error = self
        error.usage = error.usage ?? usage
        return error
    }

    /// The same, of a call that followed one which used so much.
    func alsoAfter(_ used: Usage?) -> UpstreamError {
        var error = self
        if let used { error.usage = used + (error.usage ?? .nothing) }
        return error
    }
}

extension JSONParser {
    /// A vendor's answer, or an event of it, of any kind.
    func value(ofAnswer data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        do throws(JSONError) {
            return try parse(data)
        } catch {
            throw .brokenAnswer("the vendor's answer is not JSON")
        }
    }

    /// The same, which has to be an object.
    func answer(_ data: UnsafeRawBufferPointer) throws(UpstreamError) -> JSONValue {
        let root = try value(ofAnswer: data)
        try root.checkAnswer()
        return root
    }
}

extension JSONValue {
    func checkAnswer() throws(UpstreamError) {
        guard kind == .object else { throw .brokenAnswer("the vendor's answer is not an object") }
    }

    /// It has an error, in place of an answer.
    var tellsError: Bool {
        guard let error = self["error"] else { return false }
        return error.kind == .object || error.text?.isEmpty == false
    }

    /// A number of tokens; nil: none that can be true.
    var tokens: Int? {
        guard let number, (0..<Self.tokenLimit).contains(number) else { return nil }
        return Int(number)
    }

    private static let tokenLimit = Double(1 << 40)
}
