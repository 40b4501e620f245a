import Engine

/// A parser that creates the nodes of a JSON Schema. It parses the targets of `$ref` last, which limits the recursion.
struct SchemaReader {
    var nodes: [SchemaNode] = []
    var remarks: [String] = []
    private let document: JSONValue
    /// The index of the node of each parsed schema, by the schema's position in the document.
    private var known: [Int: Int] = [:]
    private var waiting: [(node: SchemaNode, reference: UnsafeRawBufferPointer, base: Base)] = []
    private var references = SchemaReferences()

    /// The schema within which references are resolved: the document or a subschema with `$id`.
    struct Base {
        var value: JSONValue
        /// The URI of this schema from `$id`; empty if it has no `$id`.
        var address: String
    }

    init(_ document: JSONValue) { self.document = document }

    mutating func read() throws(SchemaError) -> Int {
        let base = Base(value: document, address: "")
        references.addResource(base)
        let root = try node(document, base, depth: 0)
        while let next = waiting.popLast() {
            let target = try references.target(of: next.reference, from: next.base)
            next.node.reference = try node(target.value, target.base, depth: 0)
        }
        return root
    }

    private mutating func node(_ value: JSONValue, _ base: Base, depth: Int) throws(SchemaError) -> Int {
        if let number = known[value.position] { return number }
        guard nodes.count < JSONSchema.maxNodes else {
            throw SchemaError("the schema has more than \(JSONSchema.maxNodes) parts")
        }
        guard depth < JSONSchema.maxDepth else {
            throw SchemaError("the schema is nested deeper than \(JSONSchema.maxDepth) levels")
        }
        let node = SchemaNode()
        let number = nodes.count
        nodes.append(node)
        known[value.position] = number
        if let flag = value.flag {
            node.always = flag
            return number
        }
        guard value.kind == .object, let members = value.members else {
            throw SchemaError("a schema must be an object, true or false")
        }
        var base = base
        if let id = value["$id"]?.text, id.first != UInt8(ascii: "#") {
            base = Base(value: value, address: SchemaReferences.joined(base.address, id.text))
            references.addResource(base)
        }
        for member in members {
            switch member.name {
            case "$anchor", "$dynamicAnchor":
                if let anchor = member.value.text { references.addAnchor(anchor, of: base, at: value) }
            default: try readKeyword(member.name, member.value, node: node, base: base, depth: depth + 1)
            }
        }
        return number
    }

    private mutating func readKeyword(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        node: SchemaNode,
        base: Base,
        depth: Int
    ) throws(SchemaError) {
        switch name {
        case "$ref":
            guard let reference = value.text else { throw SchemaError("`$ref` must be a string") }
            waiting.append((node, reference, base))
        case "$dynamicRef", "$recursiveRef": throw SchemaError("`\(name.text)` is not supported; use `$ref`")
        case "$defs", "definitions": _ = try named(value, name, base: base, depth: depth)
        case "type": node.types = try types(value)
        case "enum":
            guard let elements = value.elements else { throw SchemaError("`enum` must be an array") }
            node.values.append(values(Array(elements)))
        case "const": node.values.append(values([value]))
        case "allOf": node.all = try list(value, name, base: base, depth: depth)
        case "anyOf": node.any = try list(value, name, base: base, depth: depth)
        case "oneOf": node.one = try list(value, name, base: base, depth: depth)
        case "not": node.no = try self.node(value, base, depth: depth)
        case "if": node.condition = try self.node(value, base, depth: depth)
        case "then": node.then = try self.node(value, base, depth: depth)
        case "else": node.otherwise = try self.node(value, base, depth: depth)
        default:
            if try readScalar(name, value, node: node) { return }
            if try readArray(name, value, node: node, base: base, depth: depth) { return }
            try readObject(name, value, node: node, base: base, depth: depth)
        }
    }

    private mutating func readScalar(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        node: SchemaNode
    ) throws(SchemaError) -> Bool {
        var number = node.number ?? SchemaNode.NumberRules()
        var text = node.text ?? SchemaNode.TextRules()
        switch name {
        case "minimum": number.minimum = try self.number(value, name)
        case "maximum": number.maximum = try self.number(value, name)
        case "exclusiveMinimum": number.above = try self.number(value, name)
        case "exclusiveMaximum": number.below = try self.number(value, name)
        case "multipleOf":
            let step = try self.number(value, name)
            guard step > 0 else { throw SchemaError("`multipleOf` must be above 0") }
            number.multipleOf = step
        case "minLength": text.least = try count(value, name)
        case "maxLength": text.most = try count(value, name)
        case "pattern":
            guard let pattern = value.text else { throw SchemaError("`pattern` must be a string") }
            text.pattern = self.pattern(pattern)
            text.patternText = shortened(pattern, 200)
        case "format": text.format = value.text.flatMap { TextFormat($0) }
        default: return false
        }
        switch name {
        case "minLength", "maxLength", "pattern", "format": node.text = text
        default: node.number = number
        }
        return true
    }

    private mutating func readArray(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        node: SchemaNode,
        base: Base,
        depth: Int
    ) throws(SchemaError) -> Bool {
        var rules = node.array ?? SchemaNode.ArrayRules()
        switch name {
        case "prefixItems": rules.prefix = try list(value, name, base: base, depth: depth)
        case "items": rules.items = try self.node(value, base, depth: depth)
        case "contains": rules.contains = try self.node(value, base, depth: depth)
        case "minContains": rules.minContained = try count(value, name)
        case "maxContains": rules.maxContained = try count(value, name)
        case "minItems": rules.least = try count(value, name)
        case "maxItems": rules.most = try count(value, name)
        case "uniqueItems": rules.isUnique = value.flag ?? false
        case "unevaluatedItems": rules.unevaluated = try self.node(value, base, depth: depth)
        default: return false
        }
        node.array = rules
        return true
    }

    private mutating func readObject(
        _ name: UnsafeRawBufferPointer,
        _ value: JSONValue,
        node: SchemaNode,
        base: Base,
        depth: Int
    ) throws(SchemaError) {
        var rules = node.object ?? SchemaNode.ObjectRules()
        switch name {
        case "properties": (rules.names, rules.schemas) = try named(value, name, base: base, depth: depth)
        case "patternProperties":
            for member in try members(value, name) {
                let schema = try self.node(member.value, base, depth: depth)
                if let pattern = pattern(member.name) {
                    rules.patterns.append((pattern, schema))
                } else {
                    rules.isOpen = true
                }
            }
        case "additionalProperties": rules.additional = try self.node(value, base, depth: depth)
        case "required": for text in try texts(value, name) { rules.required.insert(text) }
        case "minProperties": rules.least = try count(value, name)
        case "maxProperties": rules.most = try count(value, name)
        case "propertyNames": rules.propertyNames = try self.node(value, base, depth: depth)
        case "dependentRequired":
            for member in try members(value, name) {
                let required = try texts(member.value, name)
                if rules.dependentNames.insert(member.name).isNew {
                    rules.dependentRequired.append(required.map(\.text))
                }
            }
        case "dependentSchemas":
            (rules.dependentSchemaNames, rules.dependentSchemas) = try named(value, name, base: base, depth: depth)
        case "unevaluatedProperties": rules.unevaluated = try self.node(value, base, depth: depth)
        default: return
        }
        node.object = rules
    }
}

// MARK: Values of keywords

extension SchemaReader {
    private func members(
        _ value: JSONValue,
        _ name: UnsafeRawBufferPointer
    ) throws(SchemaError) -> [(name: UnsafeRawBufferPointer, value: JSONValue)] {
        guard let members = value.members else { throw SchemaError("`\(shortened(name))` must be an object") }
        return members
    }

    /// Parses an object whose members are schemas. Returns a table of the member names, and the index of the schema for
    /// each name in the table. If a name occurs twice, the last member counts.
    private mutating func named(
        _ value: JSONValue,
        _ name: UnsafeRawBufferPointer,
        base: Base,
        depth: Int
    ) throws(SchemaError) -> (NameTable, [Int]) {
        var (table, schemas) = (NameTable(), [Int]())
        for member in try members(value, name) {
            let schema = try node(member.value, base, depth: depth)
            let (number, isNew) = table.insert(member.name)
            if isNew { schemas.append(schema) } else { schemas[number] = schema }
        }
        return (table, schemas)
    }

    private mutating func list(
        _ value: JSONValue,
        _ name: UnsafeRawBufferPointer,
        base: Base,
        depth: Int
    ) throws(SchemaError) -> [Int] {
        guard let elements = value.elements else { throw SchemaError("`\(name.text)` must be an array of schemas") }
        var schemas: [Int] = []
        for element in elements { schemas.append(try node(element, base, depth: depth)) }
        return schemas
    }

    private func texts(
        _ value: JSONValue,
        _ name: UnsafeRawBufferPointer
    ) throws(SchemaError) -> [UnsafeRawBufferPointer] {
        guard let elements = value.elements else { throw SchemaError("`\(name.text)` must be an array of strings") }
        var texts: [UnsafeRawBufferPointer] = []
        for element in elements {
            guard let text = element.text else { throw SchemaError("`\(name.text)` must be an array of strings") }
            texts.append(text)
        }
        return texts
    }

    private func types(_ value: JSONValue) throws(SchemaError) -> JSONTypes {
        let error = SchemaError("`type` must be one of JSON's types, or an array of them")
        var types: JSONTypes = []
        let names = value.text.map { [$0] } ?? value.elements.map { $0.map(\.text) } ?? []
        for name in names {
            guard let name, let known = JSONTypes.names.first(where: { name.equals($0.name) }) else { throw error }
            types.insert(known.type)
        }
        guard !types.isEmpty else { throw error }
        return types
    }

    private func number(_ value: JSONValue, _ name: UnsafeRawBufferPointer) throws(SchemaError) -> Double {
        guard let number = value.number else { throw SchemaError("`\(name.text)` must be a number") }
        return number
    }

    private func count(_ value: JSONValue, _ name: UnsafeRawBufferPointer) throws(SchemaError) -> Int {
        guard let number = value.number, let count = Int(exactly: number), count >= 0 else {
            throw SchemaError("`\(name.text)` must be a whole number, at least 0")
        }
        return count
    }

    private func values(_ values: [JSONValue]) -> SchemaNode.Values {
        var known = SchemaNode.Values()
        var texts = NameTable()
        for value in values {
            var buffer = ByteBuffer()
            guard CanonicalValue.append(value, to: &buffer) else { continue }
            known.table.insert(buffer.bytes)
            if let text = value.text { texts.insert(text) }
            guard known.list.utf8.count < 400 else { continue }
            known.list += (known.list.isEmpty ? "" : ", ") + shortened(buffer.bytes, 100)
        }
        if values.allSatisfy({ $0.kind == .string }) { known.texts = texts }
        return known
    }

    /// Parses a regular expression. If it is not supported, adds a note to `remarks` and returns nil.
    private mutating func pattern(_ text: UnsafeRawBufferPointer) -> TextPattern? {
        if let pattern = TextPattern(text) { return pattern }
        if remarks.count < 16 { remarks.append("the pattern `\(shortened(text))` is not checked") }
        return nil
    }
}
