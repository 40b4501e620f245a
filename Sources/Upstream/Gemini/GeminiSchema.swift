import Engine
import Shared

/// Converts a JSON Schema for Google's models: replaces or removes keywords that the models do not support.
struct GeminiSchema {
    /// Converts a schema and appends the result. Returns false, and appends nothing, if the schema is not JSON.
    static func append(_ schema: Body, to out: inout ByteBuffer) -> Bool {
        let merged = AllOfMerger.merged(schema)
        return JSONParser.read(merged.bytes) { append($0, to: &out) } != nil
    }

    /// Converts a schema, with all schemas inside it, and appends the result.
    /// - Parameter isItems: whether the schema is that of an array's items, where Google refuses lists of types.
    private static func append(_ schema: JSONValue, isItems: Bool = false, to out: inout ByteBuffer) {
        var members = ByteBuffer()
        let isReference = schema["$ref"] != nil
        let types = schema["type"]?.elements.map { Array($0) } ?? []
        let areNullable = types.contains(where: isNull) && !types.allSatisfy(isNull)
        let mayBeNull = !isReference && (isItems && areNullable || isNullablePick(schema))
        appendMembers(of: schema, isReference: isReference, dropsNull: mayBeNull, to: &members)
        out.append(mayBeNull ? #"{"anyOf":[{"# : "{")
        out.append(members.bytes)
        out.append(mayBeNull ? #"},{"type":"null"}]}"# : "}")
    }

    /// Whether a type is that of null.
    private static func isNull(_ type: JSONValue) -> Bool { type.kind == .null || type.text?.equals("null") ?? false }

    /// Whether the schema lists null among values that Google accepts, and has a type for them. Definitions have to stay
    /// at the top.
    private static func isNullablePick(_ schema: JSONValue) -> Bool {
        let values = OpenSchema.values(of: schema)
        guard values.contains(where: { $0.kind == .null }), areListed(values) else { return false }
        let hasType = schema["type"].map { !($0.elements?.allSatisfy(isNull) ?? isNull($0)) } ?? true
        return hasType && schema["$defs"] == nil && schema["definitions"] == nil
    }

    /// Whether the schema's values are written as `enum`; false if they are only described.
    private static func isListed(_ schema: JSONValue) -> Bool {
        let values = OpenSchema.values(of: schema)
        return areListed(values) && (!values.contains { $0.kind == .null } || isNullablePick(schema))
    }

    /// Whether Google accepts the values of an `enum`, apart from null: all are texts, but not empty, or all are numbers.
    private static func areListed(_ values: [JSONValue]) -> Bool {
        let values = values.filter { $0.kind != .null }
        let areTexts = values.allSatisfy { $0.text?.isEmpty == false }
        return !values.isEmpty && (areTexts || values.allSatisfy { $0.number != nil })
    }

    /// - Parameter dropsNull: whether null is left out of the types and values.
    private static func appendMembers(
        of schema: JSONValue,
        isReference: Bool,
        dropsNull: Bool,
        to out: inout ByteBuffer
    ) {
        for (name, value) in schema.members ?? [] where value.kind != .null {
            if isReference, name.first != UInt8(ascii: "$"), !name.equals("definitions") { continue }
            if dropsNull, name.equals("type"), let types = value.elements {
                append(types: types, to: &out)
            } else {
                append(name, value, of: schema, to: &out)
            }
        }
        if !isReference, schema["description"]?.text == nil { appendDescription(nil, of: schema, to: &out) }
    }

    /// Appends the types apart from null, each once.
    private static func append(types: JSONElements, to out: inout ByteBuffer) {
        var known: Set<[UInt8]> = []
        let types = types.filter { type in !isNull(type) && type.text.map { known.insert(Array($0)).inserted } ?? true }
        out.open(member: "type")
        for (index, type) in types.enumerated() {
            if types.count > 1 { out.append(index == 0 ? "[" : ",") }
            type.append(to: &out)
        }
        if types.count > 1 { out.append("]") }
    }

    /// Appends the description, followed by the values that Google does not accept in `enum`.
    private static func appendDescription(
        _ text: UnsafeRawBufferPointer?,
        of schema: JSONValue,
        to out: inout ByteBuffer
    ) {
        let values = OpenSchema.values(of: schema)
        let areNamed = !values.isEmpty && !isListed(schema)
        guard text != nil || areNamed else { return }
        out.open(member: "description")
        out.append("\"")
        if let text { out.append(jsonContent: text) }
        if areNamed {
            if text?.isEmpty == false { out.append(#"\n"#) }
            OpenSchema.append(values: values, to: &out)
        }
        out.append("\"")
    }

    private static func append(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        of schema: JSONValue,
        to out: inout ByteBuffer
    ) {
        switch name {
        case "$id", "$anchor", "type", "format", "title", "minItems", "maxItems", "minimum", "maximum", "required",
            "propertyOrdering":
            out.open(member: name)
            value.append(to: &out)
        case "description": if let text = value.text { appendDescription(text, of: schema, to: &out) }
        case "enum", "const":
            let values = OpenSchema.values(of: schema)
            guard isListed(schema), name.equals("enum") || schema["enum"] == nil else { return }
            out.open(member: "enum")
            out.append(array: values.filter({ $0.kind != .null })) { value, out in value.append(to: &out) }
        case "$ref":
            out.open(member: name)
            append(reference: value, to: &out)
        case "properties":
            out.open(member: name)
            out.append(object: value.members ?? []) { append($0.value, to: &$1) }
        case "$defs": appendDefinitions(value, schema["definitions"], to: &out)
        // Older drafts of JSON Schema have `definitions`.
        case "definitions" where schema["$defs"] == nil: appendDefinitions(value, nil, to: &out)
        case "items":
            guard value.kind == .object else { return }
            out.open(member: name)
            append(value, isItems: true, to: &out)
        // Names that match a pattern are no additional ones.
        case "additionalProperties" where schema["patternProperties"] == nil:
            out.open(member: name)
            if value.kind == .object { append(value, to: &out) } else { value.append(to: &out) }
        case "anyOf": appendList("anyOf", value, to: &out)
        case "oneOf": appendList("oneOf", value, to: &out)
        case "prefixItems": appendList("prefixItems", value, to: &out)
        case "allOf": appendOnly(of: value, beside: schema, to: &out)
        default: break
        }
    }

    private static func append(reference: JSONValue, to out: inout ByteBuffer) {
        guard let text = reference.text, text.hasPrefix("#/definitions/") else { return reference.append(to: &out) }
        out.append(##""#/$defs/"##)
        out.append(jsonContent: text[part: 14..<text.count])
        out.append("\"")
    }

    /// Appends the member `$defs`, which contains the schemas to which a `$ref` can point.
    /// - Parameters:
    ///   - map: the schema's `$defs`, or its `definitions` if it has no `$defs`.
    ///   - older: the schema's `definitions`, if it also has `$defs`, whose equal names win; otherwise nil.
    private static func appendDefinitions(_ map: JSONValue, _ older: JSONValue?, to out: inout ByteBuffer) {
        let members = map.members ?? []
        let names = Set(members.map { Array($0.name) })
        let others = (older?.members ?? []).filter { !names.contains(Array($0.name)) }
        out.open(member: "$defs")
        out.append(object: members + others) { append($0.value, to: &$1) }
    }

    /// Appends a member with a list of schemas, such as `anyOf`; nothing for an empty list.
    private static func appendList(_ name: StaticString, _ list: JSONValue, to out: inout ByteBuffer) {
        guard let elements = list.elements, elements.contains(where: { _ in true }) else { return }
        out.open(member: name)
        out.append(array: elements) { element, out in append(element, to: &out) }
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
            // These would also apply to the members of the other schema.
            if !own.isEmpty, ["additionalProperties", "items"].contains(where: { name.equals($0) }) { continue }
            if isNullablePick(elements[0]), name.equals("enum") { continue }
            if name.equals("description"), !OpenSchema.values(of: schema).isEmpty, !isListed(schema) { continue }
            if name.equals("properties"), schema.has("additionalProperties") { continue }
            if name.equals("prefixItems"), schema.has("items") { continue }
            append(name, value, of: elements[0], to: &out)
        }
    }
}
