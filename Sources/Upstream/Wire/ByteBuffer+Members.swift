import Engine
import Shared

/// Appends members to a JSON object that has a member already. Each new member begins with a comma.
extension ByteBuffer {
    mutating func append(member name: StaticString) { append(",\"", name, "\":") }

    mutating func append(_ name: StaticString, _ number: Int) {
        append(member: name)
        append(decimal: number)
    }

    mutating func append(_ name: StaticString, _ number: Double) {
        append(member: name)
        append("\(number)")
    }

    mutating func append(_ name: StaticString, _ flag: Bool) {
        append(member: name)
        append(flag ? "true" : "false")
    }

    mutating func append(_ name: StaticString, _ text: String) {
        append(member: name)
        append(json: text)
    }

    mutating func append(_ name: StaticString, _ texts: [String]) {
        append(member: name)
        append(array: texts) { text, out in out.append(json: text) }
    }

    mutating func append(_ name: StaticString, _ json: Body) {
        append(member: name)
        append(json.bytes)
    }

    /// Appends the approximate location of a search (`SearchOption`), as in the Responses API and at Anthropic.
    mutating func append(location: Body) {
        append(#","user_location":{"type":"approximate","#, location.bytes[part: 1..<location.bytes.count], "")
    }

    /// Appends the members of OpenAI's requests that change no response. `user` is hashed if `isUserPrivate` is true.
    mutating func append(_ kept: ChatOptions.Bookkeeping) {
        if let user = kept.user, kept.isUserPrivate {
            append(#","user":""#)
            append(hexDigestOf: user)
            append("\"")
        } else if let user = kept.user {
            append("user", user)
        }
        // Anthropic's service tiers are not known to other vendors.
        if let tier = kept.serviceTier, ["auto", "default", "flex", "priority"].contains(where: tier.hasSameBytes) {
            append("service_tier", tier)
        }
        if let key = kept.promptCacheKey { append("prompt_cache_key", key) }
        if let id = kept.safetyIdentifier { append("safety_identifier", id) }
        if let metadata = kept.metadata { append("metadata", metadata) }
    }

    /// Appends a text that is a JSON object, such as the arguments of a tool call. Any other text becomes the only member
    /// of an object, as in `{"_raw":"..."}`, and a blank one an empty object.
    /// - Parameter keepsBlank: whether a blank text becomes a member, too.
    mutating func append(object text: String, or name: StaticString, keepsBlank: Bool = false, _ parser: JSONParser) {
        let text = ByteBuffer(text)
        if let value = try? parser.parse(text.bytes), value.kind == .object { return append(text.bytes) }
        if !keepsBlank, !text.bytes.contains(where: { $0 > 32 }) { return append("{}") }
        append("{\"", name, "\":")
        append("", json: text.bytes, "}")
    }

    /// Begins a member of a JSON object whose other members, if any, are all that the buffer contains.
    mutating func open(member name: StaticString) { append(isEmpty ? "\"" : ",\"", name, "\":") }

    mutating func open(member name: UnsafeRawBufferPointer) {
        if !isEmpty { append(",") }
        append(json: name)
        append(":")
    }

    /// Begins a message of this role in a list of messages.
    mutating func open(message role: StaticString, _ isFirst: inout Bool) {
        append(isFirst ? #"{"role":""# : #",{"role":""#, role, "\"")
        isFirst = false
    }

    /// Appends the content of an instruction with tags around each text, for a message of the user.
    /// - Parameter content: a JSON string, or an array of parts.
    mutating func append(reminderOf content: RawJSON) {
        if let text = content.content {
            append("\"<system-reminder>\\n")
            append(text)
            return append("\\n</system-reminder>\"")
        }
        content.append(to: &self) { (part: RawJSON, out: inout ByteBuffer) in
            part.append(to: &out, replacing: "text") { $1.append(reminderOf: $0) }
        }
    }

    /// Appends a `data:` URL, without quotes around it.
    /// - Parameter standard: the media type if the content does not reveal its type.
    mutating func append(dataURL text: Base64Text, _ standard: String) {
        append("data:")
        append(text.contentType?.rawValue ?? standard)
        append(";base64,")
        append(jsonContent: text.base64.bytes)
    }

    /// Appends the SHA-256 of a text in hexadecimal digits, or the beginning of it.
    mutating func append(hexDigestOf text: String, maxBytes: Int = 32) {
        Digest(of: text).withBytes { bytes in
            for byte in bytes.prefix(maxBytes) {
                if byte < 16 { append("0") }
                append(hex: UInt(byte))
            }
        }
    }
}
