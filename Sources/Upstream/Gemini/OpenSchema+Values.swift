import Engine

/// Reads the values that a schema allows with `enum` or `const`.
extension OpenSchema {
    /// Returns the values that a schema lists in `enum` or `const`; empty if it lists none.
    static func values(of schema: JSONValue) -> [JSONValue] {
        schema["enum"]?.elements.map { Array($0) } ?? schema["const"].map { [$0] } ?? []
    }

    /// Whether all values are strings, but not empty; false if there are no values. Google supports no others in `enum`.
    static func areTexts(_ values: [JSONValue]) -> Bool {
        !values.isEmpty && values.allSatisfy { $0.text?.isEmpty == false }
    }

    /// Appends a sentence with the values, as the content of a JSON string.
    static func append(values: [JSONValue], to out: inout ByteBuffer) {
        for (index, value) in values.enumerated() {
            out.append(index == 0 ? "One of: " : ", ")
            var text = ByteBuffer()
            value.append(to: &text)
            out.append(jsonContent: text.bytes)
        }
    }

    /// Returns the type's name as JSON, such as `"BOOLEAN"`, if all values are booleans or all are numbers; otherwise
    /// nil.
    static func type(of values: [JSONValue]) -> StaticString? {
        let kinds = Set(values.map(\.kind))
        if kinds == [.string] { return #""STRING""# }
        if kinds == [.flag] { return #""BOOLEAN""# }
        if kinds == [.integer] { return #""INTEGER""# }
        return !kinds.isEmpty && kinds.isSubset(of: [.integer, .decimal]) ? #""NUMBER""# : nil
    }

    /// Whether the schema contains an object of free keys, which OpenAPI's form cannot express.
    static func hasMap(_ schema: Body) -> Bool {
        JSONParser.read(schema.bytes) { hasMap($0) } ?? false
    }

    private static func hasMap(_ value: JSONValue) -> Bool {
        let types = value["type"].map { type in type.elements.map { Array($0) } ?? [type] } ?? []
        let others: [StaticString] = ["properties", "anyOf", "oneOf", "allOf", "$ref"]
        if types.contains(where: { $0.text?.equals("object") ?? false }), value["additionalProperties"]?.flag != false,
            !others.contains(where: { value.has($0) })
        {
            return true
        }
        if value["patternProperties"]?.kind == .object || value["additionalProperties"]?.kind == .object { return true }
        return (value.members ?? []).contains { hasMap($0.value) } || (value.elements?.contains(where: hasMap) ?? false)
    }
}
