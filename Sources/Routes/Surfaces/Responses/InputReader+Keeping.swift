import Engine
import Shared
import Upstream

/// Functions that encode input items as JSON text for storing.
extension InputReader {
    private var keepsMore: Bool {
        switch keeping {
        case .nothing: false
        case .digests: keptBytes <= StoredResponse.limitBytes
        case .all: true
        }
    }

    /// Encodes a string input as a user message for storing; nil if the input is not stored.
    func keptText(_ text: JSONValue) -> Body? {
        guard keepsMore else { return nil }
        var kept = ByteBuffer(#""type":"message","status":"completed","role":"user","content":"#)
        Self.append(content: text, isOutput: false, nil, to: &kept)
        return Body(kept)
    }

    /// Encodes an item for storing. Returns nil if the item is not stored.
    func kept(_ item: JSONValue, _ type: ItemType) -> Body? {
        guard keepsMore, let members = item.members else { return nil }
        var replacement: JSONValue.Replacement?
        // The data of a message that the relay cannot read belong to the vendor, who gets them again.
        if case .digests = keeping, type != .other || item["role"] == nil { replacement = { Self.withoutData($0, $1) } }
        var kept = ByteBuffer()
        if item["type"] == nil { kept.append(#""type":"message""#) }
        let needsStatus =
            switch type {
            case .message, .functionCall, .functionOutput: item["status"] == nil
            case .customCall, .reasoning, .other: false
            }
        if needsStatus { kept.append(kept.isEmpty ? #""status":"completed""# : #","status":"completed""#) }
        let isOutput = item["role"]?.text == "assistant"
        for (name, value) in members where value.kind != .null && !name.equals("id") {
            if !kept.isEmpty { kept.append(",") }
            kept.append(json: name)
            kept.append(":")
            if type == .message, name.equals("content") {
                Self.append(content: value, isOutput: isOutput, replacement, to: &kept)
            } else {
                value.append(to: &kept, replacing: replacement)
            }
        }
        return Body(kept)
    }

    /// Appends the content of a message for storing.
    /// - Parameter replacement: replaces file data by a digest; nil to store the data.
    private static func append(
        content: JSONValue,
        isOutput: Bool,
        _ replacement: JSONValue.Replacement?,
        to kept: inout ByteBuffer
    ) {
        guard content.kind == .string else { return content.append(to: &kept, replacing: replacement) }
        kept.append(isOutput ? #"[{"type":"output_text","text":"# : #"[{"type":"input_text","text":"#)
        content.append(to: &kept)
        kept.append(isOutput ? #","annotations":[],"logprobs":[]}]"# : "}]")
    }

    private static func withoutData(_ name: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> String? {
        let isImage = (name.equals("image_url") || name.equals("url")) && DataURL(text) != nil
        guard isImage || name.equals("file_data") || name.equals("data") else { return nil }
        return "\(digest)\(Digest(of: text).base64url(characters: 43))"
    }
}
