import Engine
import Shared

/// Converts a tool's schema to an object without alternatives at the top level, as Anthropic requires.
///
/// The object has the properties of all alternatives and requires only those that each alternative requires. Its
/// description contains the alternatives as text.
struct ClaudeToolSchema {
    let root: JSONValue
    private var references = SchemaReferences()
    /// The number of schemas that may still be read. References can make their number endless.
    private var schemasLeft = 10_000
    private var depth = 0
    private var schemas: [Int: JSONValue] = [:]
    /// Whether references point into what is merged, which then remains as a definition.
    let keepsOriginal: Bool

    private static let maxDepth = 16
    /// The members that the alternatives of a schema are in.
    private static let combinations: [StaticString] = ["$ref", "allOf", "anyOf", "oneOf"]
    /// The members that change or lose their meaning if the alternatives are merged.
    private static let replaced: [StaticString] =
        combinations + ["type", "properties", "required", "description", "unevaluatedProperties"]

    /// The members that a schema allows and requires in an object.
    private struct Members {
        /// The properties in their order.
        var names: [[UInt8]] = []
        /// The keys in `schemas` of each property's schemas, one of which must match; empty if the property can be
        /// anything.
        var schemaKeys: [[UInt8]: Set<Int>] = [:]
        var required: Set<[UInt8]> = []
        /// Whether no other members than the properties are allowed.
        var isClosed = false
        /// Whether the schema says that other members than the properties are allowed.
        var isOpen = false
        /// Whether other members are allowed. Schemas that only name properties are not meant to allow others.
        var isFree: Bool { !isClosed && (isOpen || names.isEmpty) }

        mutating func add(_ name: [UInt8], _ found: Set<Int>) {
            if schemaKeys[name] == nil { names.append(name) }
            schemaKeys[name, default: []].formUnion(found)
        }
    }

    /// Returns the converted schema; nil if the schema already has the required form, or describes no object.
    static func converted(_ schema: Body) -> Body? {
        let top = RawJSON(schema.bytes)
        let isPlain = !combinations.contains { top[$0] != nil }
        if isPlain, top["type"]?.content == "object" { return nil }
        return JSONParser.read(schema.bytes) { root in
            guard root.kind == .object, allowsObjects(root) else { return nil }
            var writer = ClaudeToolSchema(root: root, keepsOriginal: pointsIntoMerged(root, schema.bytes))
            return writer.written()
        } ?? nil
    }

    private static func allowsObjects(_ schema: JSONValue) -> Bool {
        guard let type = schema["type"] else { return schema.flag != false }
        return type.text?.equals("object") ?? type.elements?.contains { $0.text?.equals("object") ?? false } ?? false
    }

    private mutating func written() -> Body {
        // Without own members, the target of `$ref` takes the place of the schema.
        var top = root
        for _ in 0..<Self.maxDepth {
            let hasOnlyDefinitions = (top.members ?? []).allSatisfy { member in
                ["$ref", "$defs", "definitions", "$schema", "$id"].contains { member.name.equals($0) }
            }
            guard hasOnlyDefinitions, let reference = top["$ref"]?.text,
                let target = references.target(of: reference, in: root), target.kind == .object
            else { break }
            top = target
        }
        let members = read(top)
        var out = ByteBuffer()
        out.append(#"{"type":"object""#)
        for (name, value) in top.members ?? [] where !Self.replaced.contains(where: { name.equals($0) }) {
            if name.equals("additionalProperties"), members.isClosed { continue }
            if keepsOriginal, name.equals("$defs") { continue }
            append(name, value, to: &out)
        }
        if keepsOriginal { appendDefinitions(to: &out) }
        for (name, value) in root.members ?? [] where top.index != root.index {
            if name.equals("$defs") || name.equals("definitions") { append(name, value, to: &out) }
        }
        if members.isClosed { out.append(#","additionalProperties":false"#) }
        appendProperties(of: members, top, to: &out)
        appendDescription(of: top, to: &out)
        out.append("}")
        return Body(out)
    }

    private func append(_ name: UnsafeRawBufferPointer, _ value: JSONValue, to out: inout ByteBuffer) {
        out.append(",", json: name, ":")
        append(value, to: &out)
    }

    /// Appends the members `properties` and `required`.
    private func appendProperties(of members: Members, _ top: JSONValue, to out: inout ByteBuffer) {
        for (index, name) in members.names.enumerated() {
            out.append(index == 0 ? #","properties":{"# : ",", json: name, ":")
            append(schemasAt: members.schemaKeys[name] ?? [], to: &out)
        }
        if !members.names.isEmpty {
            out.append("}")
        } else if top["properties"] != nil {
            out.append(#","properties":{}"#)
        }
        let required = members.required
        guard !required.isEmpty else { return }
        out.append(#","required":["#)
        out.append(list: required.sorted(by: { $0.lexicographicallyPrecedes($1) })) { name, out in
            out.append(json: name)
        }
        out.append("]")
    }

    /// Appends a schema that accepts what one of these schemas accepts.
    private func append(schemasAt keys: Set<Int>, to out: inout ByteBuffer) {
        var texts: [[UInt8]] = []
        var known: Set<[UInt8]> = []
        for key in keys.sorted() {
            var text = ByteBuffer()
            if let schema = schemas[key] { append(schema, to: &text) }
            if known.insert(Array(text.bytes)).inserted { texts.append(Array(text.bytes)) }
        }
        if texts.isEmpty { return out.append("{}") }
        if texts.count > 1 { out.append(#"{"anyOf":["#) }
        out.append(list: texts) { text, out in text.withUnsafeBytes { out.append($0) } }
        if texts.count > 1 { out.append("]}") }
    }

    /// Appends the description of the top schema, followed by its alternatives as text.
    private func appendDescription(of top: JSONValue, to out: inout ByteBuffer) {
        var rest = ByteBuffer()
        for (name, value) in top.members ?? [] where Self.combinations.contains(where: { name.equals($0) }) {
            rest.append(rest.isEmpty ? "{" : ", ")
            rest.append(name)
            rest.append(": ")
            value.append(to: &rest)
        }
        let description = top["description"]?.text
        guard description != nil || !rest.isEmpty else { return }
        out.append(#","description":""#)
        if let description { out.append(jsonContent: description) }
        if !rest.isEmpty {
            rest.append("}")
            if description != nil { out.append(#"\n\n"#) }
            out.append(jsonContent: rest.bytes)
        }
        out.append("\"")
    }

    // MARK: Alternatives

    /// Collects what a schema and its alternatives say about the members of an object.
    private mutating func read(_ schema: JSONValue) -> Members {
        schemasLeft -= 1
        guard schema.kind == .object, schemasLeft >= 0, depth < Self.maxDepth else { return Members() }
        depth += 1
        defer { depth -= 1 }
        var members = Members()
        for (name, value) in schema.members ?? [] {
            switch name {
            case "properties": join(properties(value), to: &members)
            case "required":
                for name in value.elements ?? JSONElements() {
                    if let text = name.text { members.required.insert(Array(text)) }
                }
            case "additionalProperties":
                if value.flag != false {
                    members.isOpen = true
                } else if !schema.has("patternProperties") {
                    members.isClosed = true
                }
            case "patternProperties": members.isOpen = true
            case "$ref":
                guard let target = value.text.flatMap({ references.target(of: $0, in: root) }) else { continue }
                join(read(target), to: &members)
            case "allOf": for part in value.elements ?? JSONElements() { join(read(part), to: &members) }
            case "anyOf", "oneOf": join(shared(by: value.elements ?? JSONElements()), to: &members)
            default: continue
            }
        }
        return members
    }

    private mutating func properties(_ properties: JSONValue) -> Members {
        var members = Members()
        for (name, schema) in properties.members ?? [] {
            schemasLeft -= 1
            guard schemasLeft >= 0 else { return Members() }
            schemas[schema.index] = schema
            members.add(Array(name), [schema.index])
        }
        return members
    }

    private func join(_ other: Members, to members: inout Members) {
        for name in other.names {
            let (own, others) = (members.schemaKeys[name], other.schemaKeys[name] ?? [])
            // Both must match. The schema that can match anything adds nothing.
            if own != nil, own?.isEmpty == true || others.isEmpty {
                members.schemaKeys[name] = own?.isEmpty == true ? others : own
            } else {
                members.add(name, others)
            }
        }
        members.required.formUnion(other.required)
        members.isClosed = members.isClosed || other.isClosed
        members.isOpen = members.isOpen || other.isOpen
    }

    /// Collects what alternatives say about the members of an object.
    private mutating func shared(by alternatives: JSONElements) -> Members {
        let all = alternatives.filter(Self.allowsObjects).map { read($0) }
        guard var shared = all.first else { return Members() }
        for members in all.dropFirst() {
            shared.required.formIntersection(members.required)
            shared.isClosed = shared.isClosed && members.isClosed
            for name in members.names {
                if let own = shared.schemaKeys[name], own.isEmpty || members.schemaKeys[name]?.isEmpty == true {
                    shared.schemaKeys[name] = []
                } else {
                    shared.add(name, members.schemaKeys[name] ?? [])
                }
            }
        }
        let free = all.filter(\.isFree)
        for name in shared.names where free.contains(where: { $0.schemaKeys[name] == nil }) {
            shared.schemaKeys[name] = []
        }
        shared.isOpen = !free.isEmpty
        return shared
    }
}
