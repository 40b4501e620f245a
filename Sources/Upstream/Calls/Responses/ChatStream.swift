package import Engine
package import Shared

/// The events of a chat response, as they arrive or from a whole response. Its reader must call `stop`, also after an
/// error.
package protocol ChatStream: AnyObject, Sendable {
    /// Waits at most `patienceNanoseconds` until more data arrives; returns `silence` if none arrives.
    ///
    /// Returns `end` only if the response is complete; throws if the response was cut off.
    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival
    /// Parses the vendor's next event and calls `emit` with its contents. Returns false if no event has arrived.
    func next(_ emit: (_ choice: Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool
    /// Whether the first event had arrived when the stream was opened, so that no other call needs to replace it.
    var isBegun: Bool { get }
    /// The reported usage, known at the end of the stream; nil if the vendor reported none.
    var usage: Usage? { get }
    /// Whether the stream always sets `usage` at its end, so that the relay need not count tokens.
    var countsItself: Bool { get }
    /// The JSON that the client gets in place of a whole response's events, because it has the vendor's API; nil for
    /// others.
    var original: Body? { get }
    /// The charged credits, known at the end of the stream; nil if the vendor did not report them.
    var credits: Int? { get }
    /// Reads the stream to its end. Returns the whole response.
    func gathered() async throws(UpstreamError) -> ChatResponse
    /// Stops the stream. Calling it again has no effect.
    func stop()
}

extension ChatStream {
    package var isBegun: Bool { false }
    package var countsItself: Bool { false }
    package var original: Body? { nil }

    /// Waits for the first event that proves that the response has begun. Returns the events until then, nil if there are
    /// none, and whether the stream has ended before.
    package func beginning() async throws(UpstreamError) -> (events: EventLog?, isWhole: Bool) {
        let log = EventLog()
        var isWhole = false
        while !isWhole, try !keepBeginning(in: log) {
            isWhole = try await more(patienceNanoseconds: .max / 4) == .end
        }
        return (log.isEmpty ? nil : log, isWhole)
    }

    /// Moves the events that have arrived into `log`, up to the first one that proves that the response has begun.
    /// Returns whether there is one.
    @inline(never)  // Its variables would be a part of each stream's frame.
    private func keepBeginning(in log: EventLog) throws(UpstreamError) -> Bool {
        var hasBegun = false
        while !hasBegun,
            try next({ choice, event in
                // A forwarded chunk proves nothing.
                if case .native = event {} else { hasBegun = true }
                log.append(choice, event)
            })
        {}
        return hasBegun
    }

    package func gathered() async throws(UpstreamError) -> ChatResponse { try await gatheredEvents() }

    func gatheredEvents() async throws(UpstreamError) -> ChatResponse {
        var gathered = ResponseAccumulator()
        repeat {
            while try next({ gathered.append($0, $1) }) {}
        } while try await more(patienceNanoseconds: .max / 4) != .end
        var response = ChatResponse(gathered.finished(), usage: usage, credits: credits)
        if let original { response.original = original }
        return response
    }
}

/// The part of a stream's writer that a panel's progress lines need.
package protocol ProgressNotes: AnyObject, Sendable {
    func write(_ choice: Int, _ event: ChatEvent)
    /// Begins the response with a text, before the first event from the vendor.
    func begin(with text: StaticString)
    /// Sends the collected output without waiting for the client.
    func flush()
}
