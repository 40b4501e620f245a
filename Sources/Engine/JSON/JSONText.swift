extension JSONValue {
    /// The value as JSON text without white space.
    package var body: Body {
        // The recursion is safe, because the parser limits how deeply a value can be nested.
        var text = ByteBuffer()
        append(to: &text)
        return Body(text)
    }

    /// A function that can replace the string value of an object's member. The function returns the new value; nil
    /// keeps the old value.
    package typealias Replacement = (_ name: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer) -> String?

    package func append(to text: inout ByteBuffer, replacing replacement: Replacement? = nil) {
        switch kind {
        case .object:
            text.append(object: JSONMembers(self) ?? JSONMembers()) { member, text in
                if let replacement, let value = member.value.text, let other = replacement(member.name, value) {
                    text.append(json: other)
                } else {
                    member.value.append(to: &text, replacing: replacement)
                }
            }
        case .array:
            text.append(array: elements ?? JSONElements()) { $0.append(to: &$1, replacing: replacement) }
        case .string: text.append(json: self.text ?? UnsafeRawBufferPointer(start: nil, count: 0))
        case .integer:
            if let integer { text.append(decimal: Int(integer)) } else { text.append("\(unsigned ?? 0)") }
        case .decimal: text.append("\(number ?? 0)")
        case .flag: text.append(flag ?? false ? "true" : "false")
        case .null: text.append("null")
        }
    }
}
