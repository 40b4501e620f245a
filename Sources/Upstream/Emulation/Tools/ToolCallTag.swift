import Engine

/// A tag that a tool call follows: the form that the prompt asks for, and forms that models know from their training.
struct ToolCallTag: Sendable {
    enum Body: Sendable {
        case json
        /// The tool's name up to `>`, then its arguments.
        case named
        /// A tool result, which a model must not write.
        case result
    }

    let text: StaticString
    /// The closing tag; empty if the call ends by itself.
    let closing: StaticString
    let body: Body

    /// All known tags. No tag is a prefix of another one, and `<` and `[` occur only as first bytes.
    static let all: [ToolCallTag] = [
        ToolCallTag(text: "<tool_call>", closing: "</tool_call>", body: .json),
        ToolCallTag(text: "<tool_calls>", closing: "</tool_calls>", body: .json),
        ToolCallTag(text: "<function_call>", closing: "</function_call>", body: .json),
        ToolCallTag(text: "<function_calls>", closing: "</function_calls>", body: .json),
        ToolCallTag(text: "<|tool_call|>", closing: "<|/tool_call|>", body: .json),
        ToolCallTag(text: "<|python_tag|>", closing: "<|eom_id|>", body: .json),
        ToolCallTag(text: "[TOOL_CALLS]", closing: "[/TOOL_CALLS]", body: .json),
        ToolCallTag(text: "[TOOL_CALL]", closing: "[/TOOL_CALL]", body: .json),
        ToolCallTag(text: "<function=", closing: "</function>", body: .named),
        ToolCallTag(text: "<invoke name=", closing: "</invoke>", body: .named),
        ToolCallTag(text: "<tool_response", closing: "</tool_response>", body: .result),
    ]

    enum Match {
        case none
        case beginning
        case opening(ToolCallTag)
        case closing
    }

    /// Returns whether the bytes are a tag, or the beginning of one.
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
