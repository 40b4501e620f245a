package import Shared

/// A vendor that supports chats. It is used on one event loop.
package protocol ChatVendor: AnyObject, Sendable {
    /// The name of the provider in lower case, for headers and the log.
    var name: String { get }
    /// The chat APIs in which the vendor accepts requests unchanged.
    var wires: [Wire] { get }
    /// Returns whether the vendor accepts the raw body of a chat completion request unchanged.
    func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Returns whether the vendor might turn out not to support the call.
    func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Whether all waits of a chat end at the time by which its response must begin (`Billing.endsAt`).
    ///
    /// Only waits while the chat is prepared may last longer.
    var keepsDeadlines: Bool { get }
    /// Whether the vendor's models can choose between the vendor's web search and the tools of a call.
    var offersSearch: Bool { get }
    /// Whether Claude Code's attribution line goes on to the vendor.
    var sendsAttribution: Bool { get }
    /// Returns the abilities that the vendor has for this call. Calls of the same model can differ in them.
    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities
    /// Returns whether the vendor itself can read the file at this URL.
    func reads(_ address: String) -> Bool
    /// Returns whether the model may reason at length without sending its reasoning while a response is streamed.
    func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Returns the tokens that the request gives to reasoning alone, and whether they come on top of the client's limit.
    func reasoning(of call: borrowing ChatCall, for model: Model) -> (tokens: Int, isOnTop: Bool)
    /// Whether other instances may have stored data about earlier responses that the vendor needs.
    var sharesMemory: Bool { get }
    /// Reads the data that other instances stored about earlier responses in this conversation. Call it before
    /// `prepare`.
    func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async
    /// Returns what to remember of a model that turned out to lack an ability; nil if this is not remembered.
    func finding(lacking ability: Abilities) -> QuirkFinding?
    /// Returns the remembered lacks of abilities that this call should ignore, to find out whether they still hold.
    func beginTrials(of call: borrowing ChatCall, at model: Model) -> [QuirkFinding]
    /// Converts a call into the vendor's form. The request body is not written yet.
    func prepare(_ call: consuming ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat
}

extension ChatVendor {
    package var wires: [Wire] { [] }
    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool { wires.contains(.chat) }
    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool { false }
    package var keepsDeadlines: Bool { false }
    package var offersSearch: Bool { false }
    package var sendsAttribution: Bool { false }
    package func reads(_ address: String) -> Bool { false }
    package func hidesReasoning(of call: borrowing ChatCall, for model: Model) -> Bool { false }
    package func reasoning(of call: borrowing ChatCall, for model: Model) -> (tokens: Int, isOnTop: Bool) { (0, false) }
    package var sharesMemory: Bool { false }
    package func recall(_ call: ChatCall, for model: Model, by attempt: Attempt) async {}
    package func finding(lacking ability: Abilities) -> QuirkFinding? { nil }
    package func beginTrials(of call: borrowing ChatCall, at model: Model) -> [QuirkFinding] { [] }
}

/// A chat call in the form of its vendor, ready to be sent.
package protocol PreparedChat: AnyObject, Sendable {
    /// Writes the body of the upstream request ahead of time. Calling this function is optional.
    ///
    /// Can be called on any thread while no other thread uses this object.
    func write()
    /// The estimated number of prompt tokens.
    var promptTokens: Int { get }
    /// Sends the call. Returns the response when the vendor has accepted the call.
    /// - Parameter isStreamed: whether the response is needed while it arrives. If false, the vendor sends a whole
    ///   response, whose events are emitted in the same way.
    func open(isStreamed: Bool, by attempt: Attempt) async throws(UpstreamError) -> any ChatStream
    /// Sends the call. Returns the whole response.
    func gathered(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse
}

extension PreparedChat {
    package func write() {}

    package func gathered(by attempt: Attempt) async throws(UpstreamError) -> ChatResponse {
        let stream = try await open(isStreamed: false, by: attempt)
        defer { stream.stop() }
        return try await stream.gathered()
    }
}
