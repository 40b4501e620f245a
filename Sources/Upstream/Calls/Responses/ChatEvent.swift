/// A chat API: chat completions, legacy completions, or Anthropic's Messages API (`messages`).
package enum Wire: CaseIterable, Sendable { case chat, completions, messages, responses }

/// One event of a chat response, such as a piece of text.
///
/// The event's bytes consist of whole characters. They are valid only inside the receiving function.
package enum ChatEvent {
    /// Generated text. If `isPlain`, the text is ASCII without characters that JSON escapes.
    case text(UnsafeRawBufferPointer, isPlain: Bool = false)
    case reasoning(UnsafeRawBufferPointer)
    case refusal(UnsafeRawBufferPointer)
    case toolCall(index: Int, id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer)
    case toolArguments(index: Int, UnsafeRawBufferPointer)
    /// A complete signature, which belongs to the tool call with the index `call`.
    ///
    /// If `call` is nil, the signature belongs to the preceding reasoning. If it is then empty, that reasoning has none, and
    /// ends.
    case signature(call: Int?, UnsafeRawBufferPointer)
    /// Complete reasoning in encrypted form, which only its vendor can read.
    case encryptedReasoning(UnsafeRawBufferPointer)
    /// The beginning of another message of the same choice, before its text. Only for `ChatCall.keepsMessages`.
    case message(ChatMessage.Phase?)
    /// An annotation of the message whose text precedes this event: a JSON object of the Responses API.
    ///
    /// Only for `ChatCall.keepsAnnotations`.
    case annotation(UnsafeRawBufferPointer)
    /// A comment in the event stream. Responses without an event stream drop the comment.
    case comment(UnsafeRawBufferPointer)
    /// The end of a choice. `stop` is the stop sequence that ended the choice; nil if none did.
    case finish(FinishReason, stop: UnsafeRawBufferPointer?)
    /// A chunk of a vendor that has the client's API. Its model and id are already those for the client.
    ///
    /// The events that are parsed from the chunk follow this event. Each event is emitted with a choice index: for this
    /// event, -1 means that the chunk reports the usage, and any other index has no meaning.
    case native(Wire, UnsafeRawBufferPointer)

    /// Whether the event is reasoning, or its signature.
    package var isReasoning: Bool {
        switch self {
        case .reasoning, .signature(call: nil, _), .encryptedReasoning: true
        default: false
        }
    }
}

package enum FinishReason: CaseIterable, Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter
    case refusal
    /// The vendor paused the response and expects another call that continues the response.
    case pause

    /// Returns the reason's name in chat completions. If `isOld` is true, the name for tool calls is `function_call`.
    package func name(isOld: Bool) -> StaticString {
        switch self {
        case .stop, .pause: "stop"
        case .length: "length"
        case .toolCalls: isOld ? "function_call" : "tool_calls"
        case .contentFilter, .refusal: "content_filter"
        }
    }
}
