import Engine

/// A JSON Schema reduced to types, properties, items and descriptions, which accepts at least the same values.
enum PlainSchema {
    /// Appends a schema, with all schemas inside it, without other keywords.
    static func append(_ schema: RawJSON, to out: inout ByteBuffer) {
        // With `prefixItems`, `items` is the schema of the rest only.
        let keepsItems = schema["prefixItems"] == nil
        schema.append(to: &out, leavingOut: { !isKept($0) || !keepsItems && $0.name.equals("items") }) { member, out in
            out.append("\"", member.name, "\":")
            switch member.name {
            case "items": append(member.value, to: &out)
            case "properties": appendMap(member.value, to: &out)
            default: out.append(member.value.bytes)
            }
            return true
        }
    }

    private static func isKept(_ member: RawJSON.Member) -> Bool {
        switch member.name {
        case "description", "required", "nullable": true
        case "type": member.value.content != nil
        case "properties", "items": member.value.isObject
        default: false
        }
    }

    private static func appendMap(_ map: RawJSON, to out: inout ByteBuffer) {
        map.append(to: &out) { member, out in
            out.append("\"", member.name, "\":")
            append(member.value, to: &out)
            return true
        }
    }
}
