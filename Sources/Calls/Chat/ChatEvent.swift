/// A chat API in which clients send requests and which a vendor may speak, too. `messages` is Anthropic's API.
package enum Wire: Sendable { case chat, completions, messages }

/// One event of a chat response. Its bytes contain whole characters. They are valid only during the call that delivers
/// the event.
package enum ChatEvent {
    /// Generated text. `isPlain` is true if the text is known to be ASCII without characters that JSON escapes.
    case text(UnsafeRawBufferPointer, isPlain: Bool = false)
    case reasoning(UnsafeRawBufferPointer)
    case refusal(UnsafeRawBufferPointer)
    case toolCall(index: Int, id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer)
    case toolArguments(index: Int, UnsafeRawBufferPointer)
    /// The complete signature of the tool call with the index `call`. If `call` is nil, it is the signature of the
    /// reasoning before this event. Only the vendor understands a signature.
    case signature(call: Int?, UnsafeRawBufferPointer)
    /// Complete reasoning in encrypted form, which only its vendor can read.
    case encryptedReasoning(UnsafeRawBufferPointer)
    /// A comment in the event stream. The comment is dropped if the client's response is not an event stream.
    case comment(UnsafeRawBufferPointer)
    /// The end of a choice. `stop` is the stop sequence that ended the choice; nil if the choice ended for another
    /// reason.
    case finish(FinishReason, stop: UnsafeRawBufferPointer?)
    /// A chunk as the vendor sent it, for a client of the same API. Only the model and the id are replaced. The chunk
    /// comes before the events that were parsed from it. It may contain several choices, so the choice that is emitted
    /// with it has no meaning, except -1: such a chunk reports the usage.
    case native(Wire, UnsafeRawBufferPointer)
}

package enum FinishReason: Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter
    case refusal
    /// The vendor paused the response. It expects another call that continues the response.
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
