import Calls
import Engine

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
        append("[")
        append(list: texts) { text, out in out.append(json: text) }
        append("]")
    }

    mutating func append(_ name: StaticString, _ json: Body) {
        append(member: name)
        append(json.bytes)
    }

    /// Appends the member `user` of OpenAI's requests, hashed if `isUserPrivate` is true. Appends nothing if the client
    /// sent no user.
    mutating func append(userOf kept: ChatOptions.Bookkeeping) {
        guard let user = kept.user else { return }
        if !kept.isUserPrivate { return append("user", user) }
        append(member: "user")
        append("\"")
        append(hexDigestOf: user)
        append("\"")
    }

    /// Appends the content of an instruction with tags around each text, for a message of the user.
    ///
    /// - Parameter content: a JSON string, or an array of parts.
    mutating func append(reminderOf content: RawJSON) {
        if let text = content.content {
            append("\"<system-reminder>\\n")
            append(text)
            return append("\\n</system-reminder>\"")
        }
        append("[")
        for (index, part) in content.elements.enumerated() {
            if index > 0 { append(",") }
            part.append(to: &self) { member, out in
                guard member.name.equals("text") else { return false }
                out.append("\"text\":")
                out.append(reminderOf: member.value)
                return true
            }
        }
        append("]")
    }

    /// Appends the SHA-256 of a text as 64 hexadecimal digits.
    mutating func append(hexDigestOf text: String) {
        Digest(of: text).withBytes { bytes in
            for byte in bytes {
                if byte < 16 { append("0") }
                append(hex: UInt(byte))
            }
        }
    }
}
