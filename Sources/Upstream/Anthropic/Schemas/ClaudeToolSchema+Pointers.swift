import Engine

/// References such as `#/anyOf/0/properties/a`, whose targets a converted schema has in a definition.
extension ClaudeToolSchema {
    /// The members that are merged, to which references can point.
    private static let merged: [StaticString] = ["allOf", "anyOf", "oneOf", "properties"]
    private static let pointers: [StaticString] = ["#/allOf/", "#/anyOf/", "#/oneOf/", "#/properties/"]

    /// Returns whether the schema merges members, and its text may have references into them.
    static func pointsIntoMerged(_ root: JSONValue, _ text: UnsafeRawBufferPointer) -> Bool {
        merged.contains { root.has($0) }
            && pointers.contains { pointer in
                var scan = ByteScan(text)
                return scan.find(pointer)
            }
    }

    /// Appends a part of the schema, in which the references point to the definition.
    func append(_ value: JSONValue, to out: inout ByteBuffer) {
        guard keepsOriginal else { return value.append(to: &out) }
        if let members = value.members {
            out.append(object: members) { member, out in
                let (name, value) = member
                if name.equals("$ref"), let text = value.text, Self.pointers.contains(where: { text.hasPrefix($0) }) {
                    out.append(##""#/$defs/original"##)
                    out.append(jsonContent: text[part: 1..<text.count])
                    out.append("\"")
                } else {
                    append(value, to: &out)
                }
            }
        } else if let elements = value.elements {
            out.append(array: elements) { element, out in append(element, to: &out) }
        } else {
            value.append(to: &out)
        }
    }

    /// Appends the schema's definitions, and one with the members that are merged.
    func appendDefinitions(to out: inout ByteBuffer) {
        out.append(#","$defs":{"#)
        for (name, value) in root["$defs"]?.members ?? [] {
            out.append("", json: name, ":")
            append(value, to: &out)
            out.append(",")
        }
        out.append(#""original":"#)
        let members = (root.members ?? []).filter { member in Self.merged.contains { member.name.equals($0) } }
        out.append(object: members) { append($0.value, to: &$1) }
        out.append("}")
    }
}
