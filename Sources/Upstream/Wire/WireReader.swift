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
}

extension UpstreamError {
    static func brokenAnswer(_ cause: String) -> UpstreamError { UpstreamError(.failed, cause: cause) }
}
