/// The API that a request came in and that a vendor may speak.
package enum Wire: Sendable { case chat, completions, messages }

/// One event of a response. The bytes contain whole characters and are valid only during the call.
package enum ChatEvent {
    /// Generated text. `isPlain` means that it is known to be ASCII that needs no escapes in a JSON string.
    case text(UnsafeRawBufferPointer, isPlain: Bool = false)
    case reasoning(UnsafeRawBufferPointer)
    case refusal(UnsafeRawBufferPointer)
    case toolCall(index: Int, id: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer)
    case toolArguments(index: Int, UnsafeRawBufferPointer)
    /// The complete opaque signature of the reasoning before it, or of a tool call.
    case signature(call: Int?, UnsafeRawBufferPointer)
    /// Complete reasoning that only its vendor can read.
    case encryptedReasoning(UnsafeRawBufferPointer)
    /// A comment of the event stream. It is dropped where the response is no event stream.
    case comment(UnsafeRawBufferPointer)
    /// The end of a choice; `stop` is the stop sequence that ended it.
    case finish(FinishReason, stop: UnsafeRawBufferPointer?)
    /// An unchanged chunk of the vendor, with model and id replaced, for a client of the same API. It precedes the
    /// events that it contains and belongs to all choices. A chunk of choice -1 reports the usage.
    case native(Wire, UnsafeRawBufferPointer)
}

package enum FinishReason: Sendable {
    case stop
    case length
    case toolCalls
    case contentFilter
    case refusal
    /// The vendor paused and expects to be called again to continue.
    case pause

    /// Returns the name of the reason in chat completions. If `isOld`, tool calls are named `function_call`.
    package func name(isOld: Bool) -> StaticString {
        switch self {
        case .stop, .pause: "stop"
        case .length: "length"
        case .toolCalls: isOld ? "function_call" : "tool_calls"
        case .contentFilter, .refusal: "content_filter"
        }
    }
}
