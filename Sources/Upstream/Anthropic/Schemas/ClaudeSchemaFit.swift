import Engine
import Shared

/// The effect on a schema of its conversion to the keywords of Anthropic's structured outputs.
///
/// An object with `properties` and without `additionalProperties` becomes an object without other members: Anthropic
/// requires this of every schema, and the converted schema says so.
enum ClaudeSchemaFit: Int, Comparable {
    /// The converted schema accepts the same values.
    case exact
    /// The converted schema also accepts values that the original does not accept.
    case wider
    /// The converted schema would not accept all values that the original accepts.
    case narrower

    static func < (one: ClaudeSchemaFit, other: ClaudeSchemaFit) -> Bool { one.rawValue < other.rawValue }

    /// Compares a schema with its converted form. Returns `exact` for a text that is not JSON, which is not converted.
    init(of schema: Body) {
        let fit = JSONParser.read(schema.bytes) { root in
            var reader = ClaudeSchemaFitReader(root: root)
            return reader.fit(of: root)
        }
        self = fit ?? .exact
    }
}

/// A reader that compares a schema, with all schemas inside it, with the converted form.
private struct ClaudeSchemaFitReader {
    let root: JSONValue
    var references = SchemaReferences()
    /// The fits of the targets of `$ref`, by position in the JSON. A target that is still being read counts as
    /// `narrower`, because Anthropic refuses recursive schemas.
    var targets: [Int: ClaudeSchemaFit] = [:]
    var depth = 0

    private static let maxDepth = 256
    private static let types: [StaticString] = ["object", "array", "string", "integer", "number", "boolean", "null"]
    /// Members one of which Anthropic needs to know what a schema allows.
    private static let essentials: [StaticString] = ["type", "anyOf", "oneOf", "allOf", "enum", "const", "properties"]
    private static let combinations: [StaticString] = ["anyOf", "oneOf", "allOf"]
    /// Members whose schemas may name properties that the schema's own `properties` lack.
    private static let conditions: [StaticString] = ["if", "then", "else", "not", "dependentSchemas"]

    mutating func fit(of schema: JSONValue) -> ClaudeSchemaFit {
        guard let members = schema.members, depth < Self.maxDepth else { return .narrower }
        depth += 1
        defer { depth -= 1 }
        if schema.has("$ref") { return fit(ofReference: schema, members.count) }
        let isChoice = schema.has("anyOf") || schema.has("oneOf")
        if isChoice, schema.has("allOf"), !ClaudeSchema.isObject(schema) { return .narrower }
        guard Self.essentials.contains(where: { schema.has($0) }) else { return .narrower }
        let isObject = ClaudeSchema.isObject(schema)
        var fit = isObject ? self.fit(ofObject: schema) : .exact
        for (name, value) in members where fit < .narrower {
            fit = max(fit, self.fit(of: name, value, in: schema, isObject: isObject))
        }
        return fit
    }

    private mutating func fit(ofReference schema: JSONValue, _ count: Int) -> ClaudeSchemaFit {
        guard let text = schema["$ref"]?.text, text.hasPrefix("#/$defs/") || text.hasPrefix("#/definitions/"),
            let target = references.target(of: text, in: root),
            // Beside a `$ref`, these members may allow properties that the target does not name.
            !(Self.combinations + Self.conditions + ["properties", "patternProperties", "additionalProperties"])
                .contains(where: { schema.has($0) })
        else { return .narrower }
        if let known = targets[target.index] { return max(known, count > 1 ? .wider : .exact) }
        targets[target.index] = .narrower
        let fit = fit(of: target)
        targets[target.index] = fit
        return max(fit, count > 1 ? .wider : .exact)
    }

    /// Compares the members that an object may have. The converted schema allows those in `properties` only.
    private func fit(ofObject schema: JSONValue) -> ClaudeSchemaFit {
        let isClosed = schema["additionalProperties"]?.flag == false
        let properties = schema["properties"]
        if !isClosed, properties == nil || schema.has("additionalProperties") { return .narrower }
        let others = Self.combinations + Self.conditions
        if !isClosed, others.contains(where: { schema.has($0) }) { return .narrower }
        let names = Set((properties?.members ?? []).filter { $0.value.flag != false }.map { Array($0.name) })
        if let least = schema["minProperties"]?.integer, least > names.count { return .narrower }
        for name in schema["required"]?.elements ?? JSONElements() {
            guard let text = name.text, names.contains(Array(text)) else { return .narrower }
        }
        return .exact
    }

    private mutating func fit(
        of name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        in schema: JSONValue,
        isObject: Bool
    ) -> ClaudeSchemaFit {
        switch name {
        case "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment",
            "$schema", "$anchor", "required", "$defs", "definitions":
            return .exact
        case "additionalProperties": return isObject ? .exact : .wider
        case "$id": return schema.index == root.index ? .exact : .narrower
        case "type":
            let types = value.elements.map { Array($0) } ?? [value]
            return types.allSatisfy(isType) && !types.isEmpty ? .exact : .narrower
        case "enum", "const":
            let values = name.equals("enum") ? value.elements.map { Array($0) } ?? [] : [value]
            return values.contains { $0.kind == .object || $0.kind == .array } || values.isEmpty ? .narrower : .exact
        case "properties":
            return widest((value.members ?? []).map(\.value).filter { $0.flag != false })
        case "anyOf", "oneOf", "allOf":
            if isObject || name.equals("oneOf") && schema.has("anyOf") { return .wider }
            let schemas = value.elements.map { Array($0) } ?? []
            // Objects without other members exclude each other.
            if schemas.isEmpty || name.equals("allOf") && schemas.count > 1 { return .narrower }
            return max(widest(schemas), name.equals("oneOf") ? .wider : .exact)
        case "items":
            if ClaudeSchema.isFree(value) { return .exact }
            return value.kind == .object && !schema.has("prefixItems") ? fit(of: value) : .wider
        case "minItems": return value.integer == 0 || value.integer == 1 ? .exact : .wider
        case "format": return ClaudeSchema.formats.contains { value.text?.equals($0) ?? false } ? .exact : .wider
        case "patternProperties": return .narrower
        case "unevaluatedProperties": return value.flag == false ? .wider : .narrower
        default: return .wider
        }
    }

    private func isType(_ type: JSONValue) -> Bool { Self.types.contains { type.text?.equals($0) ?? false } }

    private mutating func widest(_ schemas: [JSONValue]) -> ClaudeSchemaFit {
        var fit = ClaudeSchemaFit.exact
        for schema in schemas where fit < .narrower { fit = max(fit, self.fit(of: schema)) }
        return fit
    }
}
