import Engine

/// A parser that creates the nodes of a JSON Schema. It parses the targets of `$ref` last, which limits the recursion.
struct SchemaReader {
    var nodes: [SchemaNode] = []
    var remarks: [String] = []
    private let document: JSONValue
    /// The index of the node of each parsed schema, by the schema's index in the document.
    private var known: [Int: Int] = [:]
    private var waiting: [(node: SchemaNode, reference: UnsafeRawBufferPointer, base: Base)] = []
    private var references = SchemaReferences()

    /// The schema within which references are resolved: the document or a subschema with `$id`.
    struct Base {
        var value: JSONValue
        /// The URI of this schema from `$id`; empty if it has no `$id`.
        var address: String
    }

    /// A keyword of a schema, such as `properties`.
    private struct Keyword {
        let name: UnsafeRawBufferPointer
        let value: JSONValue
        let node: SchemaNode
        let base: Base
        /// The nesting depth of schemas in the keyword's value.
        let depth: Int
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
        if let number = known[value.index] { return number }
        guard nodes.count < JSONSchema.maxNodes else {
            throw SchemaError("the schema has more than \(JSONSchema.maxNodes) parts")
        }
        guard depth < JSONSchema.maxDepth else {
            throw SchemaError("the schema is nested deeper than \(JSONSchema.maxDepth) levels")
        }
        let node = SchemaNode()
        let number = nodes.count
        nodes.append(node)
        known[value.index] = number
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
            default:
                try readKeyword(
                    Keyword(name: member.name, value: member.value, node: node, base: base, depth: depth + 1)
                )
            }
        }
        return number
    }

    private mutating func node(_ value: JSONValue, _ keyword: Keyword) throws(SchemaError) -> Int {
        try node(value, keyword.base, depth: keyword.depth)
    }

    private mutating func readKeyword(_ keyword: Keyword) throws(SchemaError) {
        switch keyword.name {
        case "$ref":
            guard let reference = keyword.value.text else { throw SchemaError("`$ref` must be a string") }
            waiting.append((keyword.node, reference, keyword.base))
        case "$dynamicRef", "$recursiveRef": throw SchemaError("`\(keyword.name.text)` is not supported; use `$ref`")
        case "$defs", "definitions": _ = try named(keyword)
        case "type": keyword.node.types = try types(keyword.value)
        case "enum":
            guard let elements = keyword.value.elements else { throw SchemaError("`enum` must be an array") }
            keyword.node.values.append(values(Array(elements)))
        case "const": keyword.node.values.append(values([keyword.value]))
        case "allOf": keyword.node.all = try list(keyword)
        case "anyOf": keyword.node.any = try list(keyword)
        case "oneOf": keyword.node.one = try list(keyword)
        case "not": keyword.node.no = try node(keyword.value, keyword)
        case "if": keyword.node.condition = try node(keyword.value, keyword)
        case "then": keyword.node.then = try node(keyword.value, keyword)
        case "else": keyword.node.otherwise = try node(keyword.value, keyword)
        default:
            if try readScalar(keyword) { return }
            if try readArray(keyword) { return }
            try readObject(keyword)
        }
    }

    private mutating func readScalar(_ keyword: Keyword) throws(SchemaError) -> Bool {
        var number = keyword.node.number ?? SchemaNode.NumberRules()
        var text = keyword.node.text ?? SchemaNode.TextRules()
        switch keyword.name {
        case "minimum": number.minimum = try self.number(keyword)
        case "maximum": number.maximum = try self.number(keyword)
        case "exclusiveMinimum": number.above = try self.number(keyword)
        case "exclusiveMaximum": number.below = try self.number(keyword)
        case "multipleOf":
            let step = try self.number(keyword)
            guard step > 0 else { throw SchemaError("`multipleOf` must be above 0") }
            number.multipleOf = step
        case "minLength": text.least = try count(keyword)
        case "maxLength": text.most = try count(keyword)
        case "pattern":
            guard let pattern = keyword.value.text else { throw SchemaError("`pattern` must be a string") }
            text.pattern = self.pattern(pattern)
            text.patternText = shortened(pattern, 200)
        case "format": text.format = keyword.value.string.flatMap(TextFormat.init)
        default: return false
        }
        switch keyword.name {
        case "minLength", "maxLength", "pattern", "format": keyword.node.text = text
        default: keyword.node.number = number
        }
        return true
    }

    private mutating func readArray(_ keyword: Keyword) throws(SchemaError) -> Bool {
        var rules = keyword.node.array ?? SchemaNode.ArrayRules()
        switch keyword.name {
        case "prefixItems": rules.prefix = try list(keyword)
        case "items": rules.items = try node(keyword.value, keyword)
        case "contains": rules.contains = try node(keyword.value, keyword)
        case "minContains": rules.minContained = try count(keyword)
        case "maxContains": rules.maxContained = try count(keyword)
        case "minItems": rules.least = try count(keyword)
        case "maxItems": rules.most = try count(keyword)
        case "uniqueItems": rules.isUnique = keyword.value.flag ?? false
        case "unevaluatedItems": rules.unevaluated = try node(keyword.value, keyword)
        default: return false
        }
        keyword.node.array = rules
        return true
    }

    private mutating func readObject(_ keyword: Keyword) throws(SchemaError) {
        var rules = keyword.node.object ?? SchemaNode.ObjectRules()
        switch keyword.name {
        case "properties": (rules.names, rules.schemas) = try named(keyword)
        case "patternProperties":
            for member in try members(keyword) {
                let schema = try node(member.value, keyword)
                if let pattern = pattern(member.name) {
                    rules.patterns.append((pattern, schema))
                } else {
                    rules.isOpen = true
                }
            }
        case "additionalProperties": rules.additional = try node(keyword.value, keyword)
        case "required": for text in try texts(keyword.value, keyword.name) { rules.required.insert(text) }
        case "minProperties": rules.least = try count(keyword)
        case "maxProperties": rules.most = try count(keyword)
        case "propertyNames": rules.propertyNames = try node(keyword.value, keyword)
        case "dependentRequired":
            for member in try members(keyword) {
                let required = try texts(member.value, keyword.name)
                if rules.dependentNames.insert(member.name).isNew {
                    rules.dependentRequired.append(required.map(\.text))
                }
            }
        case "dependentSchemas": (rules.dependentSchemaNames, rules.dependentSchemas) = try named(keyword)
        case "unevaluatedProperties": rules.unevaluated = try node(keyword.value, keyword)
        default: return
        }
        keyword.node.object = rules
    }

    // MARK: Values of keywords

    private func members(_ keyword: Keyword) throws(SchemaError) -> [JSONMember] {
        guard let members = keyword.value.members else {
            throw SchemaError("`\(shortened(keyword.name))` must be an object")
        }
        return members
    }

    /// Parses an object whose members are schemas. Returns a table of the member names, and the index of the schema for
    /// each name in the table. If a name occurs twice, the last member counts.
    private mutating func named(_ keyword: Keyword) throws(SchemaError) -> (NameTable, [Int]) {
        var (table, schemas) = (NameTable(), [Int]())
        for member in try members(keyword) {
            let schema = try node(member.value, keyword)
            let (number, isNew) = table.insert(member.name)
            if isNew { schemas.append(schema) } else { schemas[number] = schema }
        }
        return (table, schemas)
    }

    private mutating func list(_ keyword: Keyword) throws(SchemaError) -> [Int] {
        guard let elements = keyword.value.elements else {
            throw SchemaError("`\(keyword.name.text)` must be an array of schemas")
        }
        var schemas: [Int] = []
        for element in elements { schemas.append(try node(element, keyword)) }
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

    private func number(_ keyword: Keyword) throws(SchemaError) -> Double {
        guard let number = keyword.value.number else { throw SchemaError("`\(keyword.name.text)` must be a number") }
        return number
    }

    private func count(_ keyword: Keyword) throws(SchemaError) -> Int {
        guard let number = keyword.value.number, let count = Int(exactly: number), count >= 0 else {
            throw SchemaError("`\(keyword.name.text)` must be a whole number, at least 0")
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
