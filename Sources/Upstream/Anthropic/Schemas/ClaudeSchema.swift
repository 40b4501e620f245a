import Engine
import Shared

/// Converts a JSON Schema to the keywords that Anthropic's structured outputs support.
///
/// All other keywords are written as text into the schema's `description`.
struct ClaudeSchema {
    static let formats: [StaticString] = [
        "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
    ]

    /// Converts a schema and appends the result. Returns false without appending if the schema is not JSON.
    static func append(_ schema: Body, to out: inout ByteBuffer) -> Bool {
        JSONParser.read(schema.bytes) { append($0, to: &out) } != nil
    }

    /// Converts a schema, with all schemas inside it, and appends the result.
    private static func append(_ schema: JSONValue, to out: inout ByteBuffer) {
        guard let members = schema.members else { return schema.append(to: &out) }
        var writer = ByteBuffer()
        var rest = ByteBuffer()
        var description: UnsafeRawBufferPointer?
        let isReference = schema["$ref"] != nil
        for (name, value) in members {
            if name.equals("description"), let text = value.text, !isReference {
                description = text
            } else if !append(name, value, of: schema, isReference: isReference, to: &writer), !isReference {
                rest.append(rest.isEmpty ? "{" : ", ")
                rest.append(name)
                rest.append(": ")
                value.append(to: &rest)
            }
        }
        if isObject(schema), !isReference {
            writer.open(member: "additionalProperties")
            writer.append("false")
            if schema["properties"] == nil { writer.append(#","properties":{}"#) }
        }
        if description != nil || !rest.isEmpty {
            writer.open(member: "description")
            writer.append("\"")
            if let description { writer.append(jsonContent: description) }
            if !rest.isEmpty {
                rest.append("}")
                if description != nil { writer.append(#"\n\n"#) }
                writer.append(jsonContent: rest.bytes)
            }
            writer.append("\"")
        }
        out.append("{", writer.bytes, "}")
    }

    /// Whether the schema itself describes objects, rather than by its alternatives.
    static func isObject(_ schema: JSONValue) -> Bool {
        if let type = schema["type"] {
            return type.text == "object" || (type.elements?.contains { $0.text == "object" } ?? false)
        }
        return schema["properties"] != nil
    }

    /// Converts and appends one member of a schema. Returns false if Anthropic does not support the member.
    private static func append(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        of schema: JSONValue,
        isReference: Bool,
        to out: inout ByteBuffer
    ) -> Bool {
        switch name {
        case "$defs", "definitions":
            out.open(member: name.equals("$defs") ? "$defs" : "definitions")
            out.append(object: value.members ?? []) { append($0.value, to: &$1) }
        case "$ref":
            out.open(member: "$ref")
            value.append(to: &out)
        case _ where isReference: return false
        case "properties":
            out.open(member: "properties")
            // A property that must be absent is as good as unknown.
            let properties = (value.members ?? []).filter { $0.value.flag != false }
            out.append(object: properties) { append($0.value, to: &$1) }
        case _ where isObject(schema) && ["anyOf", "oneOf", "allOf"].contains { name.equals($0) }: return false
        case "anyOf": appendList("anyOf", value, to: &out)
        case "oneOf":
            guard schema["anyOf"] == nil else { return false }
            appendList("anyOf", value, to: &out)
        case "allOf": appendList("allOf", value, to: &out)
        case "items":
            if isFree(value) { return true }
            guard value.kind == .object, schema["prefixItems"] == nil else { return false }
            out.open(member: "items")
            append(value, to: &out)
        case "type": return copy("type", value, to: &out)
        case "enum": return copy("enum", value, to: &out)
        case "const": return copy("const", value, to: &out)
        case "title": return copy("title", value, to: &out)
        case "required": return copy("required", value, to: &out)
        case "minItems":
            guard value.integer == 0 || value.integer == 1 else { return false }
            return copy("minItems", value, to: &out)
        case "format":
            guard let text = value.text, formats.contains(where: { text.equals($0) }) else { return false }
            return copy("format", value, to: &out)
        // `additionalProperties` is written for each object; these keywords have no meaning elsewhere.
        case "additionalProperties", "$schema", "$id": break
        default: return false
        }
        return true
    }

    /// Whether the schema allows every value: `true` or `{}`.
    static func isFree(_ schema: JSONValue) -> Bool { schema.flag == true || schema.members?.isEmpty == true }

    private static func copy(_ name: StaticString, _ value: JSONValue, to out: inout ByteBuffer) -> Bool {
        out.open(member: name)
        value.append(to: &out)
        return true
    }

    private static func appendList(_ name: StaticString, _ list: JSONValue, to out: inout ByteBuffer) {
        out.open(member: name)
        out.append(array: list.elements ?? JSONElements()) { one, out in append(one, to: &out) }
    }
}
