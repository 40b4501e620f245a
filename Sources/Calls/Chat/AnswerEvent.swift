/// The wire that a call came in, and that a vendor may speak.
package enum Wire: Sendable { case chat, completions, messages }

/// One step of an answer. Bytes are whole characters, valid during the call only.
package enum AnswerEvent {
    /// `isPlain`: it is known to be ASCII that stands in a JSON string as it is.
    case text(UnsafeRawBufferPointer, isPlain: Bool = false)
    case reasoning(UnsafeRawBufferPointer)
    case refusal(UnsafeRawBufferPointer)
    case toolCall(index: Int, id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer)
    case toolArguments(index: Int, UnsafeRawBufferPointer)
    /// The opaque signature of the thought before it, or of a call's; whole.
    case signature(call: Int?, UnsafeRawBufferPointer)
    /// A thought that only its vendor can read; whole.
    case sealedThought(UnsafeRawBufferPointer)
    /// Beside the answer: a comment of an event stream, dropped elsewhere.
    case note(UnsafeRawBufferPointer)
    /// `stop`: the sequence that ended it.
    case finish(FinishReason, stop: UnsafeRawBufferPointer?)
    /// As it came, model and id replaced; for the surface of the same wire. It stands before the events that are in it,
    /// and belongs to all choices; that of choice -1 tells the usage.
    case native(Wire, UnsafeRawBufferPointer)
}

package enum FinishReason: Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter
    case refusal
    /// The vendor wants to be asked to go on.
    case pause

    /// As chat completions name it. `isOld`: calls are told as `function_call`.
    package func name(isOld: Bool) -> StaticString {
        switch self {
        case .stop, .pause: "stop"
        case .length: "length"
        case .toolCalls: isOld ? "function_call" : "tool_calls"
        case .contentFilter, .refusal: "content_filter"
        }
    }
}
