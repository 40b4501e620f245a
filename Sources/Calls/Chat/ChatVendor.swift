package import Engine
package import Shared

/// A vendor that supports chat. Used on one loop.
package protocol ChatVendor: AnyObject, Sendable {
    /// The name in lower case, for headers and the log.
    var name: String { get }
    /// The APIs whose requests the vendor accepts unchanged.
    var wires: [Wire] { get }
    /// Whether the vendor accepts the request unchanged, in OpenAI's form.
    func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Whether only the response shows if the vendor supports the call. The call may then have to be repeated in
    /// another form.
    func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Whether every upstream call of a plain chat observes its ledger's deadline, and the chat waits for nothing else.
    var keepsDeadlines: Bool { get }
    /// Returns the vendor's abilities for a call. They depend on the combination: some models support no output format
    /// together with tools.
    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities
    /// Whether the vendor has the file at this address, or fetches it itself.
    func reads(_ address: String) -> Bool
    /// Whether another instance may have stored data about earlier responses of these messages.
    func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool
    /// Reads what other instances stored about earlier responses. Call it before `prepare`.
    func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async
    /// Records that a model does not have an ability. Later calls may be made without it.
    func learn(lacking ability: Abilities, of model: Model)
    /// Converts a call into the vendor's form, which is not written yet.
    func prepare(_ call: consuming ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat
}

extension ChatVendor {
    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool { wires.contains(.chat) }
    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool { false }
    package var keepsDeadlines: Bool { false }
    package func reads(_ address: String) -> Bool { false }
    package func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool { false }
    package func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async {}
    package func learn(lacking ability: Abilities, of model: Model) {}
}

/// A chat call in its vendor's form.
package protocol PreparedChat: AnyObject, Sendable {
    /// Writes the vendor's request. Can be called on any thread while no other thread uses the call; without it, the
    /// request is written when it is needed. The original call is not needed afterwards.
    func write()
    /// The estimated number of prompt tokens.
    var promptTokens: Int { get }
    /// Whether the chat bills its ledger itself. If not, the code that requests the response must do it.
    var isBilled: Bool { get }
    func response() async throws(UpstreamError) -> ChatResponse
    /// Sends the call. Returns when the vendor has accepted it.
    func stream() async throws(UpstreamError) -> any ChatResponseStream
}

extension PreparedChat {
    package func write() {}
    package var isBilled: Bool { false }
}

/// A complete response. Its fields are behind one pointer, because every stack frame on its way reserves room for it.
package struct ChatResponse: PartialResponse {
    /// The largest size of a choice that is collected from chunks, in bytes.
    package static let limitBytes = 33_554_432

    package struct Choice: Sendable {
        /// The text in UTF-8; nil if there is none.
        package var text: Body?
        package var reasoning: Body?
        /// The reasoning with signatures, in order. Used in place of `reasoning`.
        package var reasoningBlocks: [ReasoningBlock] = []
        package var refusal: Body?
        package var toolCalls: [ToolCall] = []
        package var finish: FinishReason
        /// The stop sequence that ended the choice; nil if none did.
        package var stop: Body?

        package init(text: Body?, finish: FinishReason = .stop) {
            self.text = text
            self.finish = finish
        }

        /// Emits the reasoning, the tool calls and the chunks of text in the order in which they came.
        package func forEachPart(
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            text emitText: (UnsafeRawBufferPointer) -> Void,
            call emitCall: (ToolCall) -> Void
        ) {
            let text = text?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
            var reported = 0
            func flush(upTo position: Int) {
                var end = min(position, text.count)
                // The text may have been changed since, so the position may be inside a character.
                while end > reported, end < text.count, text[end] & 0xc0 == 0x80 { end -= 1 }
                guard end > reported else { return }
                emitText(text[part: reported..<end])
                reported = end
            }
            forEachReasoningAndCall { reasoningBlock in
                flush(upTo: reasoningBlock.textBytesBefore)
                emitReasoning(reasoningBlock)
            } call: { call in
                flush(upTo: call.position)
                emitCall(call)
            }
            flush(upTo: text.count)
        }

        /// Emits the reasoning and the tool calls in the order in which they came.
        package func forEachReasoningAndCall(
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            call emitCall: (ToolCall) -> Void
        ) {
            var next = 0
            for (index, call) in toolCalls.enumerated() {
                while next < reasoningBlocks.count, reasoningBlocks[next].callsBefore <= index {
                    emitReasoning(reasoningBlocks[next])
                    next += 1
                }
                emitCall(call)
            }
            for reasoningBlock in reasoningBlocks[next...] { emitReasoning(reasoningBlock) }
        }

        package var bytes: Int {
            (text?.bytes.count ?? 0) + (reasoning?.bytes.count ?? 0) + (refusal?.bytes.count ?? 0)
                + toolCalls.reduce(0) {
                    $0 + $1.name.utf8.count + $1.arguments.utf8.count + ($1.signature?.utf8.count ?? 0)
                }
                + reasoningBlocks.reduce(0) { $0 + $1.bytes + 64 }
        }
    }

    private struct Fields: Sendable {
        var choices: [Choice]
        var usage: Usage?
        var credits: Int?
        var original: Body?
    }

    private var fields: Indirect<Fields>

    package init(_ choices: [Choice], usage: Usage?, credits: Int? = nil) {
        fields = Indirect(Fields(choices: choices, usage: usage, credits: credits))
    }

    package var choices: [Choice] {
        _read { yield fields.value.choices }
        _modify { yield &fields.value.choices }
    }

    /// The usage that the vendor reported; nil if it reported none.
    package var usage: Usage? {
        get { fields.value.usage }
        set { fields.value.usage = newValue }
    }

    /// The credits that the vendor charged; nil if it did not report them.
    package var credits: Int? {
        get { fields.value.credits }
        set { fields.value.credits = newValue }
    }

    /// The raw response of a vendor that speaks the client's API, if the request came as `ChatCall.original`; else nil.
    package var original: Body? {
        get { fields.value.original }
        set { fields.value.original = newValue }
    }
}

/// A response that arrives as a stream. The caller must end it with `stop`, on every path.
package protocol ChatResponseStream: AnyObject, Sendable {
    /// Waits for data. Returns `end` only at a proper end; throws if the response was cut off.
    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival
    /// Calls `emit` with the contents of the next event that has arrived. Returns false if there is none.
    func next(_ emit: (_ choice: Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool
    /// The usage that the vendor reported. It is known at the end.
    var usage: Usage? { get }
    /// Whether `usage` is always set at the end, so that no other code needs to count.
    var countsItself: Bool { get }
    /// The credits that the vendor charged. They are known at the end.
    var credits: Int? { get }
    /// Stops the stream. Further calls have no effect.
    func stop()
}

extension ChatResponseStream {
    package var countsItself: Bool { false }
}
