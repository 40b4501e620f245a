package import Engine
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
    /// Whether all waits of a chat end at the time by which its response must begin (`CallLedger.endsAt`).
    ///
    /// Only waits while the chat is prepared may last longer.
    var keepsDeadlines: Bool { get }
    /// Whether the vendor's models can choose between the vendor's web search and the tools of a call.
    var offersSearch: Bool { get }
    /// Returns the abilities that the vendor has for this call. Calls of the same model can differ in them.
    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities
    /// Returns whether the vendor itself can read the file at this URL.
    func reads(_ address: String) -> Bool
    /// Returns whether another instance might have stored data about this conversation's earlier responses.
    func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool
    /// Reads the data that other instances stored about earlier responses in this conversation. Call it before
    /// `prepare`.
    func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async
    /// Returns the quirks to remember for a model that turned out to lack an ability; none if this is not remembered.
    func quirks(lacking ability: Abilities) -> LearnedQuirks
    /// Returns the remembered lacks of abilities that this call should ignore, to find out whether they still hold.
    func beginTrials(of call: borrowing ChatCall, at model: Model) -> LearnedQuirks
    /// Converts a call into the vendor's form. The request body is not written yet.
    func prepare(_ call: consuming ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat
}

extension ChatVendor {
    package func acceptsOriginal(of call: borrowing ChatCall, for model: Model) -> Bool { wires.contains(.chat) }
    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool { false }
    package var keepsDeadlines: Bool { false }
    package var offersSearch: Bool { false }
    package func reads(_ address: String) -> Bool { false }
    package func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool { false }
    package func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async {}
    package func quirks(lacking ability: Abilities) -> LearnedQuirks { [] }
    package func beginTrials(of call: borrowing ChatCall, at model: Model) -> LearnedQuirks { [] }
}

/// A chat call in the form of its vendor, ready to be sent.
package protocol PreparedChat: AnyObject, Sendable {
    /// Writes the body of the upstream request ahead of time. Calling this function is optional.
    ///
    /// Can be called on any thread while no other thread uses this object.
    func write()
    /// The estimated number of prompt tokens.
    var promptTokens: Int { get }
    /// Whether the chat itself records its usage in the call ledger.
    ///
    /// If false, the code that requests the response must record the usage.
    var isBilled: Bool { get }
    func response() async throws(UpstreamError) -> ChatResponse
    /// Sends the call. Returns the response stream when the vendor has accepted the call.
    func stream() async throws(UpstreamError) -> any ChatResponseStream
}

extension PreparedChat {
    package func write() {}
    package var isBilled: Bool { false }
}

/// A complete chat response. Its fields are stored behind one pointer, which keeps stack frames small.
package struct ChatResponse: PartialResponse {
    /// The maximum size of one choice that is collected from chunks, in bytes.
    package static let limitBytes = 33_554_432

    package struct Choice: Sendable {
        /// The text of the choice in UTF-8; nil if there is no text.
        package var text: Body?
        package var reasoning: Body?
        /// The reasoning as blocks with signatures, in order. Vendors that sign reasoning set these instead of
        /// `reasoning`.
        package var reasoningBlocks: [ReasoningBlock] = []
        package var refusal: Body?
        package var toolCalls: [ToolCall] = []
        /// The beginnings and annotations of the messages that the text consists of; empty for one message without both.
        package var marks: [OutputMark] = []
        package var finish: FinishReason
        /// The stop sequence that ended the choice; nil if the choice ended for another reason.
        package var stop: Body?

        /// Emits the reasoning blocks, the tool calls, the marks and the pieces of text in their original order.
        ///
        /// An annotation precedes the piece of text to which it belongs.
        package func forEachPart(
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            text emitText: (UnsafeRawBufferPointer) -> Void,
            call emitCall: (ToolCall) -> Void,
            mark emitMark: (OutputMark) -> Void = { _ in }
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
            } mark: { mark in
                if mark.beginsItem { flush(upTo: mark.textBytesBefore) }
                emitMark(mark)
            }
            flush(upTo: text.count)
        }

        /// Emits the reasoning blocks, the tool calls and the marks in their original order.
        package func forEachReasoningAndCall(
            reasoningBlock emitReasoning: (ReasoningBlock) -> Void,
            call emitCall: (ToolCall) -> Void,
            mark emitMark: (OutputMark) -> Void = { _ in }
        ) {
            var (nextBlock, nextMark) = (0, 0)
            func emitOthers(beforeCall index: Int) {
                while true {
                    let hasBlock =
                        nextBlock < reasoningBlocks.count && reasoningBlocks[nextBlock].callsBefore <= index
                    if nextMark < marks.count, marks[nextMark].callsBefore <= index,
                        !hasBlock || marks[nextMark].reasoningBefore <= nextBlock
                    {
                        emitMark(marks[nextMark])
                        nextMark += 1
                    } else if hasBlock {
                        emitReasoning(reasoningBlocks[nextBlock])
                        nextBlock += 1
                    } else {
                        return
                    }
                }
            }
            for (index, call) in toolCalls.enumerated() {
                emitOthers(beforeCall: index)
                emitCall(call)
            }
            emitOthers(beforeCall: .max)
        }

        package var bytes: Int {
            (text?.bytes.count ?? 0) + (reasoning?.bytes.count ?? 0) + (refusal?.bytes.count ?? 0)
                + toolCalls.reduce(0) {
                    $0 + $1.name.utf8.count + $1.arguments.utf8.count + ($1.signature?.utf8.count ?? 0)
                }
                + reasoningBlocks.reduce(0) { $0 + $1.bytes + 64 } + marks.reduce(0) { $0 + $1.bytes + 64 }
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

    /// The raw response if the vendor got the client's request unchanged; nil otherwise.
    package var original: Body? {
        get { fields.value.original }
        set { fields.value.original = newValue }
    }
}

/// A chat response that arrives as a stream. Its reader must call `stop`, also after an error.
package protocol ChatResponseStream: AnyObject, Sendable {
    /// Waits at most `patienceNanoseconds` until more data arrives; returns `silence` if none arrives.
    ///
    /// Returns `end` only if the response is complete; throws if the response was cut off.
    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival
    /// Parses the vendor's next event and calls `emit` with its contents. Returns false if no event has arrived.
    func next(_ emit: (_ choice: Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool
    /// The reported usage, known at the end of the stream; nil if the vendor reported none.
    var usage: Usage? { get }
    /// Whether the stream always sets `usage` at its end, so that the relay need not count tokens.
    var countsItself: Bool { get }
    /// The charged credits, known at the end of the stream; nil if the vendor did not report them.
    var credits: Int? { get }
    /// Stops the stream. Calling it again has no effect.
    func stop()
}

extension ChatResponseStream {
    package var countsItself: Bool { false }
}

extension ChatResponse.Choice {
    // It calls the initializer of all properties: Swift would copy the struct if it set its properties.
    package init(text: Body?, finish: FinishReason = .stop) {
        self.init(
            text: text,
            reasoning: nil,
            reasoningBlocks: [],
            refusal: nil,
            toolCalls: [],
            marks: [],
            finish: finish,
            stop: nil
        )
    }
}
