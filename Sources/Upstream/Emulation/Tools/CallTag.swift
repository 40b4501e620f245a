import Engine

/// A tag that a call stands behind: the form that is asked for, and those that models know from their training.
struct CallTag: Sendable {
    enum Body: Sendable {
        case json
        /// A tool's name up to `>`, then its arguments.
        case named
        /// A result, which no model has to write.
        case result
    }

    let text: StaticString
    /// Empty: the call ends by itself.
    let closing: StaticString
    let body: Body

    /// None is the beginning of another, and only their first bytes are `<` or `[`.
    static let all: [CallTag] = [
        CallTag(text: "<tool_call>", closing: "</tool_call>", body: .json),
        CallTag(text: "<tool_calls>", closing: "</tool_calls>", body: .json),
        CallTag(text: "<function_call>", closing: "</function_call>", body: .json),
        CallTag(text: "<function_calls>", closing: "</function_calls>", body: .json),
        CallTag(text: "<|tool_call|>", closing: "<|/tool_call|>", body: .json),
        CallTag(text: "<|python_tag|>", closing: "<|eom_id|>", body: .json),
        CallTag(text: "[TOOL_CALLS]", closing: "[/TOOL_CALLS]", body: .json),
        CallTag(text: "[TOOL_CALL]", closing: "[/TOOL_CALL]", body: .json),
        CallTag(text: "<function=", closing: "</function>", body: .named),
        CallTag(text: "<invoke name=", closing: "</invoke>", body: .named),
        CallTag(text: "<tool_response", closing: "</tool_response>", body: .result),
    ]

    enum Match {
        case none
        case beginning
        case opening(CallTag)
        case closing
    }

    /// The verdict on the bytes of a possible tag.
    static func match(_ bytes: UnsafeRawBufferPointer, closings: Bool) -> Match {
        var isBeginning = false
        for tag in all {
            if bytes.equals(tag.text) { return .opening(tag) }
            if begins(tag.text, with: bytes) { isBeginning = true }
            guard closings, tag.closing.utf8CodeUnitCount > 0 else { continue }
            if bytes.equals(tag.closing) { return .closing }
            if begins(tag.closing, with: bytes) { isBeginning = true }
        }
        return isBeginning ? .beginning : .none
    }

    private static func begins(_ text: StaticString, with bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count < text.utf8CodeUnitCount else { return false }
        return bytes.elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: bytes.count))
    }

    @inline(__always)
    static func isFirst(_ byte: UInt8) -> Bool { byte == 60 || byte == 91 }
}
