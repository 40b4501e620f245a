package import Engine
package import Shared

/// A vendor that can chat. Used on one loop.
package protocol ChatVendor: AnyObject, Sendable {
    /// Lower case; for headers and the log.
    var name: String { get }
    /// Those in which it takes a call as it came.
    var wires: [Wire] { get }
    /// It takes the call as it came, in OpenAI's form.
    func takesOriginal(of call: borrowing ChatCall, for model: Model) -> Bool
    /// Only its answer may show that it takes the call in another form.
    func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool
    /// All calls of a plain chat end at their sheet's deadline, and it waits for nothing else.
    var keepsDeadlines: Bool { get }
    /// By model and combination: some models take no format with tools.
    func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities
    /// It has the file at that address, or reads it itself.
    func reads(_ address: String) -> Bool
    /// Another instance may know of earlier answers in the call that this one does not.
    func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool
    /// Reads what others know of them, before the call is prepared.
    func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async
    /// The model did not do what this ability demands of it; later calls may be made without.
    func learn(lacking ability: Abilities, of model: Model)
    /// The vendor's form of a call, which is yet to be written.
    func prepare(_ call: consuming ChatCall, for model: Model, by vendorCall: VendorCall) -> any PreparedChat
}

extension ChatVendor {
    package func takesOriginal(of call: borrowing ChatCall, for model: Model) -> Bool { wires.contains(.chat) }
    package func isUnsure(of call: borrowing ChatCall, for model: Model) -> Bool { false }
    package var keepsDeadlines: Bool { false }
    package func reads(_ address: String) -> Bool { false }
    package func mayRecall(_ messages: [ChatMessage], by vendorCall: VendorCall) -> Bool { false }
    package func recall(_ messages: [ChatMessage], by vendorCall: VendorCall) async {}
    package func learn(lacking ability: Abilities, of model: Model) {}
}

/// A call in its vendor's form.
package protocol PreparedChat: AnyObject, Sendable {
    /// Does what takes time with a long call, on any thread while no other uses the call; else it is done when it is
    /// needed. The call that it was made of is not needed after.
    func write()
    /// Estimated.
    var promptTokens: Int { get }
    /// It tells its sheet what it used; else who asks for the answer does.
    var isBilled: Bool { get }
    func answer() async throws(UpstreamError) -> ChatAnswer
    /// Returns once the vendor has taken the call.
    func stream() async throws(UpstreamError) -> any ChatAnswerStream
}

extension PreparedChat {
    package func write() {}
    package var isBilled: Bool { false }
}

/// A whole answer: behind one pointer, since each frame on its way has room for it.
package struct ChatAnswer: PartialAnswer {
    /// The most of a choice that is put together.
    package static let limitBytes = 33_554_432

    package struct Choice: Sendable {
        /// UTF-8; nil: it has no text.
        package var text: Body?
        package var reasoning: Body?
        /// With signatures, in their order, in place of `reasoning`.
        package var thoughts: [Thought] = []
        package var refusal: Body?
        package var toolCalls: [ToolCall] = []
        package var finish: FinishReason
        /// The stop sequence that ended it.
        package var stop: Body?

        package init(text: Body?, finish: FinishReason = .stop) {
            self.text = text
            self.finish = finish
        }

        /// Thoughts, calls, and the text in pieces, in the order in which they came.
        package func forEachPart(
            thought takeThought: (Thought) -> Void,
            text takeText: (UnsafeRawBufferPointer) -> Void,
            call takeCall: (ToolCall) -> Void
        ) {
            let text = text?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
            var told = 0
            func tell(upTo place: Int) {
                var end = min(place, text.count)
                // The text may have been changed since.
                while end > told, end < text.count, text[end] & 0xc0 == 0x80 { end -= 1 }
                guard end > told else { return }
                takeText(text[part: told..<end])
                told = end
            }
            forEachThoughtAndCall { thought in
                tell(upTo: thought.textBytesBefore)
                takeThought(thought)
            } call: { call in
                tell(upTo: call.place)
                takeCall(call)
            }
            tell(upTo: text.count)
        }

        /// Both, in the order in which they came.
        package func forEachThoughtAndCall(thought takeThought: (Thought) -> Void, call takeCall: (ToolCall) -> Void) {
            var next = 0
            for (index, call) in toolCalls.enumerated() {
                while next < thoughts.count, thoughts[next].callsBefore <= index {
                    takeThought(thoughts[next])
                    next += 1
                }
                takeCall(call)
            }
            for thought in thoughts[next...] { takeThought(thought) }
        }

        package var bytes: Int {
            (text?.bytes.count ?? 0) + (reasoning?.bytes.count ?? 0) + (refusal?.bytes.count ?? 0)
                + toolCalls.reduce(0) {
                    $0 + $1.name.utf8.count + $1.arguments.utf8.count + ($1.signature?.utf8.count ?? 0)
                }
                + thoughts.reduce(0) { $0 + $1.bytes + 64 }
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

    /// As the vendor counted; nil: it did not.
    package var usage: Usage? {
        get { fields.value.usage }
        set { fields.value.usage = newValue }
    }

    /// That the vendor took for it.
    package var credits: Int? {
        get { fields.value.credits }
        set { fields.value.credits = newValue }
    }

    /// The whole answer for the surface of the wire that the call came in, if it came as `ChatCall.original`.
    package var original: Body? {
        get { fields.value.original }
        set { fields.value.original = newValue }
    }
}

/// An answer as it comes. The caller ends it by `stop`, on every path.
package protocol ChatAnswerStream: AnyObject, Sendable {
    /// Waits for something to come. `end` is a proper end only; an answer that was cut throws.
    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival
    /// Hands over what the next event that has come brings, if any has; false when there is none.
    func next(_ take: (_ choice: Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool
    /// As the vendor counted; known at the end.
    var usage: Usage? { get }
    /// `usage` is known in any case, so nobody else need count.
    var countsItself: Bool { get }
    /// That the vendor took for it; known at the end.
    var credits: Int? { get }
    /// Once or more often.
    func stop()
}

extension ChatAnswerStream {
    package var countsItself: Bool { false }
}
