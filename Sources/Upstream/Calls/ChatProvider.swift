package import Engine
package import Shared

/// A vendor that can chat. Used on one loop.
package protocol ChatProvider: AnyObject, Sendable {
    /// Lower case; for headers and the log.
    var name: String { get }
    /// The vendor's form of a call, which is yet to be written.
    func prepare(_ call: ChatCall, for model: Model, key: String) -> any PreparedChat
}

/// A call in its vendor's form, which may be made several times.
package protocol PreparedChat: AnyObject, Sendable {
    /// Does what takes time with a long call, on any thread while no other uses the call; else it is done when it is
    /// needed. The call that it was made of is not needed after.
    func write()
    /// Estimated.
    var promptTokens: Int { get }
    func answer() async throws(UpstreamError) -> ChatReply
    /// Returns once the vendor has taken the call.
    func stream() async throws(UpstreamError) -> any ChatStream
}

extension PreparedChat {
    package func write() {}
}

package struct ChatReply: Sendable {
    /// UTF-8.
    package let text: Body
    /// As the vendor counted.
    package let usage: Usage?
    /// That the vendor took for it.
    package let credits: Int?

    package init(text: Body, usage: Usage?, credits: Int? = nil) {
        self.text = text
        self.usage = usage
        self.credits = credits
    }
}

/// Pieces of an answer as they come. The caller ends it by `stop`, on every path.
package protocol ChatStream: AnyObject, Sendable {
    /// Waits for something to come. `end` is a proper end only; an answer that was cut throws.
    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival
    /// Hands over the pieces of the next event that has come, if it has any; false when there is none. A piece is
    /// whole characters, valid during the call.
    func next(_ piece: (UnsafeRawBufferPointer) -> Void) throws(UpstreamError) -> Bool
    /// As the vendor counted; known at the end.
    var usage: Usage? { get }
    /// That the vendor took for it; known at the end.
    var credits: Int? { get }
    func stop()
}
