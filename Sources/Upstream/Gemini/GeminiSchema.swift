import Engine
import Shared

/// Converts a JSON Schema for Google's models: replaces or removes keywords that the models do not support.
struct GeminiSchema {
    private typealias Member = (name: UnsafeRawBufferPointer, value: JSONValue)

    /// Converts a schema and appends the result. Returns false, and appends nothing, if the schema is not JSON.
    static func append(_ schema: Body, to out: inout ByteBuffer) -> Bool {
        let parser = JSONParser()
        guard let root = try? parser.parse(schema.bytes) else { return false }
        append(root, to: &out)
        withExtendedLifetime(parser) {}
        return true
    }

    /// Converts a schema, with all schemas inside it, and appends the result.
    private static func append(_ schema: JSONValue, to out: inout ByteBuffer) {
        var members = ByteBuffer()
        appendMembers(of: schema, isReference: schema["$ref"] != nil, to: &members)
        out.append("{")
        out.append(members.bytes)
        out.append("}")
    }

    private static func appendMembers(of schema: JSONValue, isReference: Bool, to out: inout ByteBuffer) {
        for (name, value) in schema.members ?? [] where value.kind != .null {
            if isReference, name.first != UInt8(ascii: "$"), !name.equals("definitions") { continue }
            append(name, value, of: schema, to: &out)
        }
    }

    private static func append(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        of schema: JSONValue,
        to out: inout ByteBuffer
    ) {
        switch name {
        case "$id", "$anchor", "type", "format", "title", "description", "enum", "minItems", "maxItems", "minimum",
            "maximum", "required", "propertyOrdering":
            open(name, to: &out)
            value.append(to: &out)
        case "$ref":
            open(name, to: &out)
            append(reference: value, to: &out)
        case "properties":
            open(name, to: &out)
            appendMap(value, to: &out)
        case "$defs": appendDefinitions(value, schema["definitions"], to: &out)
        // Older drafts of JSON Schema have `definitions`.
        case "definitions" where schema["$defs"] == nil: appendDefinitions(value, nil, to: &out)
        case "items", "additionalProperties":
            guard value.kind == .object || name.equals("additionalProperties") else { return }
            open(name, to: &out)
            if value.kind == .object { append(value, to: &out) } else { value.append(to: &out) }
        case "anyOf": appendList("anyOf", value, to: &out)
        case "oneOf": appendList("oneOf", value, to: &out)
        case "prefixItems": appendList("prefixItems", value, to: &out)
        case "const" where schema["enum"] == nil:
            out.append(out.isEmpty ? #""enum":["# : #","enum":["#)
            value.append(to: &out)
            out.append("]")
        case "allOf": appendOnly(of: value, beside: schema, to: &out)
        default: break
        }
    }

    private static func open(_ name: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        if !out.isEmpty { out.append(",") }
        out.append(json: name)
        out.append(":")
    }

    private static func append(reference: JSONValue, to out: inout ByteBuffer) {
        guard let text = reference.text, text.hasPrefix("#/definitions/") else { return reference.append(to: &out) }
        out.append(##""#/$defs/"##)
        out.append(jsonContent: text[part: 14..<text.count])
        out.append("\"")
    }

    private static func appendMap(_ map: JSONValue, to out: inout ByteBuffer) {
        out.append("{")
        append(map.members ?? [], to: &out)
        out.append("}")
    }

    private static func append(_ map: [Member], isFirst: Bool = true, to out: inout ByteBuffer) {
        for (index, member) in map.enumerated() {
            if index > 0 || !isFirst { out.append(",") }
            out.append(json: member.name)
            out.append(":")
            append(member.value, to: &out)
        }
    }

    /// Appends the member `$defs`, which contains the schemas to which a `$ref` can point.
    ///
    /// - Parameters:
    ///   - map: the schema's `$defs`, or its `definitions` if it has no `$defs`.
    ///   - older: the schema's `definitions`, if it also has `$defs`, whose equal names win; otherwise nil.
    private static func appendDefinitions(_ map: JSONValue, _ older: JSONValue?, to out: inout ByteBuffer) {
        let members = map.members ?? []
        let names = Set(members.map { Array($0.name) })
        out.append(out.isEmpty ? #""$defs":{"# : #","$defs":{"#)
        append(members, to: &out)
        let others = (older?.members ?? []).filter { !names.contains(Array($0.name)) }
        append(others, isFirst: members.isEmpty, to: &out)
        out.append("}")
    }

    /// Appends a member with a list of schemas, such as `anyOf`; nothing for an empty list.
    private static func appendList(_ name: StaticString, _ list: JSONValue, to out: inout ByteBuffer) {
        guard let elements = list.elements, elements.contains(where: { _ in true }) else { return }
        out.append(out.isEmpty ? "\"" : ",\"")
        out.append(name)
        out.append("\":")
        for (index, element) in elements.enumerated() {
            out.append(index == 0 ? "[" : ",")
            append(element, to: &out)
        }
        out.append("]")
    }

    /// Merges the only schema of an `allOf` into the outer schema: appends the members that the outer schema lacks.
    /// Does nothing if the `allOf` has several schemas.
    private static func appendOnly(of list: JSONValue, beside schema: JSONValue, to out: inout ByteBuffer) {
        let elements = Array((list.elements ?? JSONElements()).prefix(2))
        guard elements.count == 1, elements[0].kind == .object else { return }
        let own = schema.members ?? []
        let only = elements[0].members ?? []
        let hasOthers = (own + only).contains { !$0.name.hasPrefix("$") && !$0.name.equals("allOf") }
        // Google allows no keyword next to `$ref`. An `anyOf` contains the `$ref`, unless the outer schema has one.
        let isChoice = elements[0]["$ref"] != nil && hasOthers
        if isChoice, schema["anyOf"] == nil { appendList("anyOf", list, to: &out) }
        for (name, value) in only where value.kind != .null {
            if own.count > 16 || own.contains(where: { $0.name.elementsEqual(name) }) { continue }
            if isChoice, ["$ref", "anyOf", "allOf"].contains(where: { name.equals($0) }) { continue }
            append(name, value, of: elements[0], to: &out)
        }
    }
}
