import Engine
import Shared

/// Converts a JSON Schema to an OpenAPI schema, the only form that some Google servers accept.
struct OpenSchema {
    private let root: JSONValue
    private var references = SchemaReferences()
    /// The schemas that are being written because a `$ref` points to them, as positions in the JSON. A `$ref` to one of
    /// them is not followed, because it would never end.
    private var open: [Int] = []
    /// The number of schemas that may still be added to the result.
    private var schemasLeft = 4_000
    private var bytesLeft: Int

    // References can make a short schema endless. Schemas beyond the limits are written as `{}`.
    private static let maxDepth = 64
    private static let moreBytes = 262_144
    private static let formats: [StaticString] = ["date-time", "float", "double", "int32", "int64"]

    /// Converts a schema and appends the result. Returns false if the schema is not JSON.
    ///
    /// Returns true, but appends nothing, for a schema that allows any object.
    static func append(_ schema: Body, to out: inout ByteBuffer) -> Bool {
        let merged = AllOfMerger.merged(schema)
        let isJSON: Void? = JSONParser.read(merged.bytes) { root in
            var writer = OpenSchema(root, bytes: merged.bytes.count)
            var members = ByteBuffer()
            writer.appendMembers(of: root, depth: 0, to: &members)
            if !members.isEmpty, !members.bytes.equals(#""type":"OBJECT""#) { out.append("{", members.bytes, "}") }
        }
        return isJSON != nil
    }

    private init(_ root: JSONValue, bytes: Int) {
        self.root = root
        bytesLeft = bytes + Self.moreBytes
    }

    private mutating func append(_ schema: JSONValue, isNullable: Bool = false, depth: Int, to out: inout ByteBuffer) {
        var members = ByteBuffer()
        appendMembers(of: schema, isNullable: isNullable, depth: depth + 1, to: &members)
        out.append("{", members.bytes, "}")
    }

    /// Converts a schema and appends its members, without the braces around them.
    /// - Parameter description: the outer schema's description, which wins; nil if the outer schema has none.
    private mutating func appendMembers(
        of schema: JSONValue,
        isNullable: Bool = false,
        description: JSONValue? = nil,
        depth: Int,
        to out: inout ByteBuffer
    ) {
        schemasLeft -= 1
        guard schema.kind == .object, schemasLeft >= 0, bytesLeft > 0, depth <= Self.maxDepth else { return }
        let description = description ?? schema["description"].flatMap { $0.kind == .string ? $0 : nil }
        if let reference = schema["$ref"]?.text {
            guard let target = target(of: reference), !open.contains(target.index) else {
                if isNullable { member("nullable", "true", &out) }
                return
            }
            open.append(target.index)
            appendMembers(of: target, isNullable: isNullable, description: description, depth: depth + 1, to: &out)
            open.removeLast()
            return
        }
        let only = (schema["allOf"]?.elements).map { Array($0.prefix(2)) } ?? []
        let saysNoMore = schema["type"].map { $0.text?.equals("object") ?? false } ?? true
        if only.count == 1, saysNoMore, schema["properties"] == nil {
            return appendMembers(
                of: only[0],
                isNullable: isNullable,
                description: description,
                depth: depth + 1,
                to: &out
            )
        }
        var isNullable = isNullable
        let choices = appendChoices(of: schema, &isNullable, description, depth: depth, to: &out)
        if !choices { appendType(of: schema, &isNullable, to: &out) }
        if isNullable { member("nullable", "true", &out) }
        guard !choices else { return }
        let start = out.count
        appendPlain(of: schema, description, to: &out)
        bytesLeft -= out.count - start
        appendProperties(of: schema, depth: depth, to: &out)
        // With `prefixItems`, `items` is the schema of the rest only.
        if let items = schema["items"], items.kind == .object, schema["prefixItems"] == nil {
            out.open(member: "items")
            append(items, depth: depth, to: &out)
        } else if isArray(schema) {
            member("items", "{}", &out)
        }
    }

    private mutating func target(of reference: UnsafeRawBufferPointer) -> JSONValue? {
        bytesLeft -= reference.count
        return references.target(of: reference, in: root)
    }

    // MARK: Types

    private func isArray(_ schema: JSONValue) -> Bool { schema["type"]?.text.map { $0.equals("array") } ?? false }

    /// Returns the elements of the schema's `anyOf` or `oneOf`. Returns an empty list if the schema has properties or a
    /// type other than `object`.
    private static func choices(of schema: JSONValue) -> JSONElements {
        if let type = schema["type"]?.text, !type.equals("object") { return JSONElements() }
        return schema["properties"] == nil ? allChoices(of: schema) : JSONElements()
    }

    private static func allChoices(of schema: JSONValue) -> JSONElements {
        (schema["anyOf"] ?? schema["oneOf"])?.elements ?? JSONElements()
    }

    /// Appends the alternatives of a schema as `anyOf`, or the members of the only alternative. Returns false, and
    /// appends nothing, if the schema has no alternatives.
    private mutating func appendChoices(
        of schema: JSONValue,
        _ isNullable: inout Bool,
        _ description: JSONValue?,
        depth: Int,
        to out: inout ByteBuffer
    ) -> Bool {
        var schemas: [JSONValue] = []
        for choice in Self.choices(of: schema) {
            bytesLeft -= 1
            if choice["type"]?.text.map({ $0.equals("null") }) ?? false {
                isNullable = true
            } else {
                schemas.append(choice)
            }
        }
        if schemas.count == 1 {
            appendMembers(of: schemas[0], isNullable: isNullable, description: description, depth: depth + 1, to: &out)
            isNullable = false
            return true
        }
        guard schemas.isEmpty else {
            out.open(member: "anyOf")
            out.append(array: schemas) { choice, out in append(choice, depth: depth, to: &out) }
            return true
        }
        let types = schema["type"]?.elements.map { Array($0.prefix(8)) } ?? []
        let real = types.filter { !($0.text?.equals("null") ?? true) }
        if real.count < types.count { isNullable = true }
        guard real.count > 1 else { return false }
        out.open(member: "anyOf")
        for (index, type) in real.enumerated() {
            out.append(index == 0 ? #"[{"type":""# : #",{"type":""#)
            append(type: type, to: &out)
            out.append(type.text?.equals("array") ?? false ? #"","items":{}}"# : "\"}")
        }
        out.append("]")
        return true
    }

    private mutating func appendType(of schema: JSONValue, _ isNullable: inout Bool, to out: inout ByteBuffer) {
        let values = Self.values(of: schema)
        let start = out.count
        defer { bytesLeft -= out.count - start + values.count }
        let reported = values.filter { $0.kind != .null }
        if reported.count < values.count { isNullable = true }
        if Self.areTexts(reported) {
            member("type", #""STRING""#, &out)
            member("format", #""enum""#, &out)
            out.open(member: "enum")
            out.append(array: reported) { value, out in value.append(to: &out) }
            return
        }
        let single = schema["type"]?.elements?.first { !($0.text?.equals("null") ?? true) } ?? schema["type"]
        guard let single, single.text != nil else {
            if schema["properties"] != nil { member("type", #""OBJECT""#, &out) }
            if let type = Self.type(of: reported) { member("type", type, &out) }
            return
        }
        if single.text?.equals("null") ?? false { isNullable = true }
        out.open(member: "type")
        out.append("\"")
        append(type: single, to: &out)
        out.append("\"")
    }

    /// Appends OpenAPI's name of a JSON Schema type, such as `OBJECT`. An unknown type becomes `STRING`.
    private func append(type: JSONValue, to out: inout ByteBuffer) {
        switch type.text ?? UnsafeRawBufferPointer(start: nil, count: 0) {
        case "object", "OBJECT": out.append("OBJECT")
        case "array", "ARRAY": out.append("ARRAY")
        case "integer", "INTEGER": out.append("INTEGER")
        case "number", "NUMBER": out.append("NUMBER")
        case "boolean", "BOOLEAN": out.append("BOOLEAN")
        default: out.append("STRING")
        }
    }

    // MARK: Members

    private mutating func appendPlain(of schema: JSONValue, _ description: JSONValue?, to out: inout ByteBuffer) {
        append(description: description, of: schema, to: &out)
        let members = schema.members ?? []
        bytesLeft -= members.count
        for (name, value) in members {
            switch name {
            case "title": if value.kind == .string { member(name, value, &out) }
            case "pattern": if value.kind == .string, schema["enum"] == nil { member(name, value, &out) }
            case "format":
                guard let text = value.text, schema["enum"] == nil, schema["const"] == nil,
                    Self.formats.contains(where: { text.equals($0) })
                else { continue }
                member(name, value, &out)
            case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum",
                "maximum":
                if value.number != nil { member(name, value, &out) }
            default: continue
            }
        }
    }

    private func append(description: JSONValue?, of schema: JSONValue, to out: inout ByteBuffer) {
        let values = Self.values(of: schema).filter { $0.kind != .null }
        let areNamed = !values.isEmpty && !Self.areTexts(values)
        let free = schema["additionalProperties"].flatMap { $0.kind == .object ? $0 : nil }
        guard areNamed || free != nil else {
            if let description { member("description", description, &out) }
            return
        }
        out.open(member: "description")
        out.append("\"")
        if let text = description?.text, !text.isEmpty {
            out.append(jsonContent: text)
            out.append(#"\n"#)
        }
        if areNamed { Self.append(values: values, to: &out) }
        if let free {
            if areNamed { out.append(#"\n"#) }
            out.append("Other members are allowed. Each is: ")
            var text = ByteBuffer()
            free.append(to: &text)
            out.append(jsonContent: text.bytes)
        }
        out.append("\"")
    }

    /// Returns the properties of the schema's alternatives, which are allowed, too. A property without a schema can be
    /// anything, because the alternatives differ.
    private mutating func allProperties(
        ofChoicesOf schema: JSONValue
    ) -> [(name: UnsafeRawBufferPointer, value: JSONValue?)] {
        var found: [(name: UnsafeRawBufferPointer, value: JSONValue?)] = []
        var indices: [[UInt8]: Int] = [:]
        var isFree = false
        for choice in Self.allChoices(of: schema) {
            schemasLeft -= 1
            guard schemasLeft >= 0 else { break }
            let choice = choice["$ref"]?.text.flatMap { target(of: $0) } ?? choice
            isFree = isFree || choice["properties"] == nil
            for (name, value) in choice["properties"]?.members ?? [] {
                if let index = indices[Array(name)] {
                    if found[index].value?.index != value.index { found[index].value = nil }
                } else {
                    indices[Array(name)] = found.count
                    found.append((name, value))
                }
            }
        }
        return isFree ? found.map { ($0.name, nil) } : found
    }

    private mutating func appendProperties(of schema: JSONValue, depth: Int, to out: inout ByteBuffer) {
        guard let own = schema["properties"]?.members, !own.isEmpty else { return }
        out.open(member: "properties")
        var known: Set<[UInt8]> = []
        for property in own + allProperties(ofChoicesOf: schema) where known.insert(Array(property.name)).inserted {
            out.append(known.count == 1 ? "{" : ",", json: property.name, ":")
            if let value = property.value { append(value, depth: depth, to: &out) } else { out.append("{}") }
            bytesLeft -= property.name.count
        }
        out.append("}")
        // A required name must be one of the properties.
        let required = (schema["required"]?.elements ?? JSONElements()).filter { name in
            name.text.map { known.contains(Array($0)) } ?? false
        }
        guard !required.isEmpty else { return }
        out.open(member: "required")
        let start = out.count
        out.append(array: required) { name, out in name.append(to: &out) }
        bytesLeft -= out.count - start
    }

    private func member(_ name: StaticString, _ json: StaticString, _ out: inout ByteBuffer) {
        out.open(member: name)
        out.append(json)
    }

    private func member(_ name: StaticString, _ value: JSONValue, _ out: inout ByteBuffer) {
        out.open(member: name)
        value.append(to: &out)
    }

    private func member(_ name: UnsafeRawBufferPointer, _ value: JSONValue, _ out: inout ByteBuffer) {
        out.open(member: name)
        value.append(to: &out)
    }
}
