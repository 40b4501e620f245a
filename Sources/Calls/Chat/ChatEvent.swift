/// An API for chats that clients use and that some vendors offer, too: chat completions, legacy completions, or
/// Anthropic's Messages API (`messages`).
package enum Wire: Sendable { case chat, completions, messages }

/// One event of a chat response, such as a piece of text. The bytes of an event consist of whole characters. The bytes
/// are valid only inside the function that receives the event.
package enum ChatEvent {
    /// Generated text. `isPlain` is true if the text is known to be ASCII without characters that JSON escapes.
    case text(UnsafeRawBufferPointer, isPlain: Bool = false)
    case reasoning(UnsafeRawBufferPointer)
    case refusal(UnsafeRawBufferPointer)
    case toolCall(index: Int, id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer)
    case toolArguments(index: Int, UnsafeRawBufferPointer)
    /// A complete signature, which only the vendor understands. The signature belongs to the tool call with the index
    /// `call`; if `call` is nil, it belongs to the reasoning before this event.
    case signature(call: Int?, UnsafeRawBufferPointer)
    /// Complete reasoning in encrypted form, which only its vendor can read.
    case encryptedReasoning(UnsafeRawBufferPointer)
    /// A comment in the event stream. The comment is dropped if the client's response is not an event stream.
    case comment(UnsafeRawBufferPointer)
    /// The end of a choice. `stop` is the stop sequence that ended the choice; nil if the choice ended for another
    /// reason.
    case finish(FinishReason, stop: UnsafeRawBufferPointer?)
    /// A chunk as the vendor sent it, for a client of the same API. Only the model and the id are replaced. The events
    /// that are parsed from the chunk follow this event.
    ///
    /// If the chunk reports the usage, the event is emitted for choice -1. Otherwise the number of the choice has no
    /// meaning, because the chunk can contain several choices.
    case native(Wire, UnsafeRawBufferPointer)
}

package enum FinishReason: Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter
    case refusal
    /// The vendor paused the response and expects another call that continues the response.
    case pause

    /// Returns the name of the reason in chat completions. If `isOld` is true, the name for tool calls is
    /// `function_call`.
    package func name(isOld: Bool) -> StaticString {
        switch self {
        case .stop, .pause: "stop"
        case .length: "length"
        case .toolCalls: isOld ? "function_call" : "tool_calls"
        case .contentFilter, .refusal: "content_filter"
        }
    }
}
