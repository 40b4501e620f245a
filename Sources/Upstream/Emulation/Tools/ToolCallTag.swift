import Engine

/// A tag that begins a tool call, such as `<tool_call>`, or a tool result.
struct ToolCallTag: Sendable {
    enum Body: Sendable {
        case json
        /// The tool's name follows in the tag, and then the arguments as JSON, such as
        /// `<function=get_weather>{"city":"Paris"}`.
        case named
        /// The result of a tool call. A model must not write it itself.
        case result
    }

    let text: StaticString
    /// The closing tag, such as `</tool_call>`; empty if the call has no closing tag.
    let closing: StaticString
    let body: Body

    /// All known tags. No tag is a prefix of another tag. `<` and `[` occur only as first bytes.
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

    /// Returns whether the bytes are a tag, the beginning of a tag, or neither.
    /// - Parameter closings: whether closing tags are considered, too.
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
