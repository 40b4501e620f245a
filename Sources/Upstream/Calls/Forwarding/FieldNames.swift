import Engine

/// The names of request fields that the relay checks, changes or uses itself.
package enum FieldNames {
    static let ofChats: [StaticString] = [
        "model", "messages", "n", "stop", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "logit_bias", "tools", "tool_choice",
        "parallel_tool_calls", "functions", "function_call", "response_format", "reasoning_effort", "verbosity", "user",
        "service_tier", "store", "prompt_cache_key", "safety_identifier", "metadata", "prediction", "logprobs",
        "top_logprobs", "modalities", "audio", "web_search", "num_of_site", "max_word", "new_input", "file_ids",
    ]

    /// The names of further fields that the relay reads in requests of the Responses API.
    private static let ofResponses: [StaticString] = [
        "input", "instructions", "previous_response_id", "conversation", "prompt", "background", "include",
        "max_output_tokens", "reasoning", "text", "truncation", "moderation", "max_tool_calls",
    ]

    /// Returns whether the relay reads this field of chats.
    static func isOfChats(_ name: UnsafeRawBufferPointer) -> Bool { ofChats.contains { name.equals($0) } }

    /// Returns whether the relay reads this field of chats or responses, also if the name has unusual letters.
    package static func isOfResponses(_ name: UnsafeRawBufferPointer) -> Bool {
        ofResponses.contains { name.equals($0) } || isOfChats(name) || isDisguised(name)
    }

    /// Returns whether the relay reads this field of the Responses API's object `reasoning`.
    package static func isOfReasoning(_ name: UnsafeRawBufferPointer) -> Bool {
        name == "effort" || name == "summary" || name == "generate_summary"
    }

    /// Returns whether the relay reads this field of the Responses API's object `text`.
    package static func isOfText(_ name: UnsafeRawBufferPointer) -> Bool { name == "format" || name == "verbosity" }

    private static let ofOthers: [StaticString] = [
        "input", "prompt", "stream_format", "dimensions", "encoding_format", "size", "quality", "style", "background",
        "moderation", "output_format", "output_compression", "partial_images", "input_fidelity", "voice", "speed",
        "instructions", "language", "timestamp_granularities", "include", "include_usage", "chunking_strategy",
    ]

    private static let ofValues = ofChats + ofOthers
    /// The names of all request fields that the relay uses.
    private static let all = ofValues + ofResponses + ["file", "image", "images", "mask"]

    /// Returns whether a name is a known field name in unusual letters, such as `Model`.
    package static func isDisguised(_ name: UnsafeRawBufferPointer) -> Bool {
        // Some vendors' decoders read such a name as the known field, which would evade the relay's checks.
        guard name.contains(where: { 65...90 ~= $0 || $0 >= 128 }), name.count <= 100 else { return false }
        let plain = folded(name)
        return plain.withUnsafeBytes { plain in all.contains { plain.equals($0) } }
    }

    /// Returns a name as lenient decoders compare names: in lower case, with U+017F as `s` and U+212A as `k`.
    private static func folded(_ name: UnsafeRawBufferPointer) -> [UInt8] {
        var plain: [UInt8] = []
        var index = 0
        while index < name.count {
            let rest = name[part: index..<name.count]
            if rest.hasPrefix("\u{17F}") {
                plain.append(UInt8(ascii: "s"))
                index += 2
            } else if rest.hasPrefix("\u{212A}") {
                plain.append(UInt8(ascii: "k"))
                index += 3
            } else {
                plain.append(65...90 ~= rest[0] ? rest[0] | 32 : rest[0])
                index += 1
            }
        }
        return plain
    }

    /// Returns whether the field of this name holds a text or a number, not a file.
    package static func isOfValue(_ name: UnsafeRawBufferPointer) -> Bool {
        // A file of audio may have this name.
        !name.equals("audio") && ofValues.contains { name.equals($0) }
    }
}
