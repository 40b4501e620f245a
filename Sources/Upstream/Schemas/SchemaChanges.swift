import Engine

/// A JSON Schema with what OpenAI's API demands and Anthropic's does not: properties of objects, and items of arrays.
enum CompleteSchema {
    /// The deepest schema inside a schema that is completed.
    fileprivate static let maxDepth = 16
    private static let members: [(type: StaticString, name: StaticString)] = [
        ("object", "properties"), ("array", "items"),
    ]

    /// Appends a schema with empty `properties` and `items` where they are missing, and without members that are null.
    /// - Returns: whether the schema lacked something.
    @discardableResult
    static func append(_ schema: RawJSON, depth: Int = 0, to out: inout ByteBuffer) -> Bool {
        var isChanged = false
        guard depth < maxDepth, schema.isObject || schema.isArray else {
            out.append(schema.bytes)
            return false
        }
        if schema.isArray {
            schema.append(to: &out) { isChanged = append($0, depth: depth + 1, to: &$1) || isChanged }
            return isChanged
        }
        // Null may be the value that a schema describes.
        let values: [StaticString] = ["default", "const"]
        let isLeftOut = { (member: RawJSON.Member) in
            member.value.isNull && !values.contains { member.name.equals($0) }
        }
        isChanged = schema.members.contains(where: isLeftOut)
        schema.append(to: &out, leavingOut: isLeftOut) { member, out in
            out.append("\"", member.name, "\":")
            switch member.name {
            case "properties", "$defs", "definitions":
                member.value.append(to: &out) { inner, out in
                    out.append("\"", inner.name, "\":")
                    isChanged = append(inner.value, depth: depth + 1, to: &out) || isChanged
                    return true
                }
            case "items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf", "not":
                isChanged = append(member.value, depth: depth + 1, to: &out) || isChanged
            default: out.append(member.value.bytes)
            }
            return true
        }
        for (type, name) in members where schema.allows(type) && schema[name]?.isNull ?? true {
            out.removeLast(1)
            out.append(",\"")
            out.append(name)
            out.append("\":{}}")
            isChanged = true
        }
        return isChanged
    }
}

extension RawJSON {
    /// Returns whether the schema's `type` is this type, or a list that contains it.
    fileprivate func allows(_ type: StaticString) -> Bool {
        guard let types = self["type"] else { return false }
        return types.content?.equals(type) ?? types.elements.contains { $0.content?.equals(type) ?? false }
    }
}

/// The rules that OpenAI's API has for the schema of a strict tool or format.
enum StrictSchema {
    private static let refused: [StaticString] = ["oneOf", "allOf", "not", "if", "patternProperties", "prefixItems"]

    /// Returns whether a schema, with all schemas inside it, has a type, and lists all properties of its objects as
    /// required and allows no others.
    static func accepts(_ schema: RawJSON, depth: Int = 0) -> Bool {
        guard depth < CompleteSchema.maxDepth, schema.isObject, !refused.contains(where: { schema[$0] != nil }) else {
            return false
        }
        let choices = schema.list("anyOf")
        guard schema["type"] != nil || schema["$ref"] != nil || !choices.isEmpty else { return false }
        if schema.allows("array"), schema["items"] == nil { return false }
        let properties = schema["properties"]?.members.map { $0 } ?? []
        if schema.allows("object") || !properties.isEmpty {
            let required = Set(schema.list("required").compactMap { $0.content?.text })
            let isClosed = schema["additionalProperties"]?.bytes.equals("false") ?? false
            guard isClosed, properties.allSatisfy({ required.contains($0.name.text) }) else { return false }
        }
        let names: [StaticString] = ["$defs", "definitions"]
        let definitions = names.flatMap { schema[$0]?.members.map(\.value) ?? [] }
        let inner = properties.map(\.value) + definitions + choices + [schema["items"]].compactMap(\.self)
        return inner.allSatisfy { accepts($0, depth: depth + 1) }
    }
}

extension ChatOptions {
    /// Finds out whether OpenAI's strict mode refuses the schema of a strict tool or format.
    package mutating func findLooseSchemas() {
        var schemas = tools.filter { $0.isStrict == true }.map(\.schema)
        if case .schema(_, let schema, isStrict: true) = format { schemas.append(schema) }
        hasLooseSchemas = schemas.contains { $0.map { !StrictSchema.accepts(RawJSON($0.bytes)) } ?? false }
    }

    /// Returns the field `strict` beside a schema, as OpenAI's API accepts it.
    func strict(_ isStrict: Bool?, _ schema: Body?) -> Bool? {
        guard hasLooseSchemas, isStrict == true, let schema else { return isStrict }
        return StrictSchema.accepts(RawJSON(schema.bytes))
    }
}

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
