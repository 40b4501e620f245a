import Engine

/// The canonical JSON text of a value. Equal values have equal texts.
enum CanonicalValue {
    /// Appends the canonical text of a value. Returns false if the value is nested deeper than `depth` levels.
    static func append(_ value: JSONValue, to buffer: inout ByteBuffer, depth: Int = 128) -> Bool {
        guard depth > 0 else { return false }
        switch value.kind {
        case .null: buffer.append("null")
        case .flag: buffer.append(value.flag == true ? "true" : "false")
        case .string: if let text = value.text { buffer.append(json: text) }
        case .integer, .decimal: append(number: value, to: &buffer)
        case .array:
            buffer.append(UInt8(ascii: "["))
            var isFirst = true
            for element in value.elements ?? JSONElements() {
                if !isFirst { buffer.append(UInt8(ascii: ",")) }
                isFirst = false
                guard append(element, to: &buffer, depth: depth - 1) else { return false }
            }
            buffer.append(UInt8(ascii: "]"))
        case .object:
            buffer.append(UInt8(ascii: "{"))
            let members = (value.members ?? []).sorted { $0.name.lexicographicallyPrecedes($1.name) }
            for (index, member) in members.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                buffer.append(json: member.name)
                buffer.append(UInt8(ascii: ":"))
                guard append(member.value, to: &buffer, depth: depth - 1) else { return false }
            }
            buffer.append(UInt8(ascii: "}"))
        }
        return true
    }

    private static func append(number value: JSONValue, to buffer: inout ByteBuffer) {
        if let integer = value.integer { return buffer.append(decimal: Int(integer)) }
        let number = value.number ?? 0
        if let integer = Int(exactly: number) { return buffer.append(decimal: integer) }
        if let unsigned = value.unsigned ?? UInt64(exactly: number) { return buffer.append("\(unsigned)") }
        buffer.append(number.description)
    }
}
