import Engine

/// A check whether the relay knows all fields of a response of the Messages API, so that it can write the response anew.
///
/// A field with the value null needs no name that the relay knows.
enum KnownMessage {
    /// Returns whether the relay knows all fields of an event, which is passed with its lines.
    static func isKnown(event: UnsafeRawBufferPointer) -> Bool {
        var scan = ByteScan(event)
        guard scan.find("data: ") else { return false }
        let data = event[part: scan.offset..<event.count]
        var rest = ByteScan(data)
        if rest.find("\ndata: ") { return false }
        let root = RawJSON(data)
        switch root["type"]?.content {
        case "ping", "message_stop": return has(only: ["type"], root)
        case "message_start":
            return has(only: ["type", "message"], root) && (root["message"].map { isKnown(part: $0) } ?? true)
        case "content_block_start":
            return has(only: ["type", "index", "content_block"], root)
                && (root["content_block"].map { isKnown(part: $0) } ?? true)
        case "content_block_delta":
            return has(only: ["type", "index", "delta"], root) && (root["delta"].map { isKnown(part: $0) } ?? true)
        case "content_block_stop": return has(only: ["type", "index"], root)
        case "message_delta":
            return has(only: ["type", "delta", "usage"], root) && (root["usage"].map { isKnown(usage: $0) } ?? true)
                && (root["delta"].map { has(only: ["stop_reason", "stop_sequence"], $0) && isKnown(endOf: $0) } ?? true)
        default: return false
        }
    }

    /// Returns whether the relay knows all fields of a message, a content block or a part of a block.
    static func isKnown(part value: RawJSON) -> Bool {
        switch value["type"]?.content {
        case "message":
            has(only: ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"], value)
                && isKnown(endOf: value) && (value["usage"].map { isKnown(usage: $0) } ?? true)
                && (value["content"]?.elements.allSatisfy { isKnown(part: $0) } ?? true)
        case "text", "text_delta": has(only: ["type", "text"], value)
        case "thinking": has(only: ["type", "thinking", "signature"], value)
        case "thinking_delta": has(only: ["type", "thinking"], value)
        case "signature_delta": has(only: ["type", "signature"], value)
        case "input_json_delta": has(only: ["type", "partial_json"], value)
        case "redacted_thinking": has(only: ["type", "data"], value)
        case "tool_use":
            has(only: ["type", "id", "name", "input", "caller"], value)
                && (value["caller"].map { has(only: ["type"], $0) && $0["type"]?.content == "direct" } ?? true)
        default: false
        }
    }

    /// Returns whether the response ended for a reason that a hit can repeat.
    private static func isKnown(endOf value: RawJSON) -> Bool {
        guard let reason = value["stop_reason"], !reason.isNull else { return true }
        return ["end_turn", "max_tokens", "stop_sequence", "tool_use"].contains { reason.content?.equals($0) == true }
    }

    private static func isKnown(usage: RawJSON) -> Bool {
        let names: [StaticString] = [
            "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
            "cache_creation", "output_tokens_details", "service_tier", "inference_geo",
        ]
        return has(only: names, usage)
    }

    private static func has(only names: [StaticString], _ object: RawJSON) -> Bool {
        object.members.allSatisfy { member in member.value.isNull || names.contains { member.name.equals($0) } }
    }
}
