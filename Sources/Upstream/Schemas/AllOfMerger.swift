import Engine
import Shared

/// Makes one schema of each `allOf` with several schemas, for vendors without `allOf`.
///
/// The result accepts what the original accepts: it joins properties and required names. Of any other keyword that
/// occurs more than once, the first counts.
struct AllOfMerger {
    /// The keywords of several schemas.
    private struct Keywords {
        /// The keywords in their order, each once. Those of `properties` and `required` are in the other members.
        var all: [(name: UnsafeRawBufferPointer, value: JSONValue)] = []
        /// The names of the properties in their order.
        var properties: [UnsafeRawBufferPointer] = []
        var schemas: [[UInt8]: [JSONValue]] = [:]
        var required: [UnsafeRawBufferPointer] = []
        private var known: Set<[UInt8]> = []
        private var knownRequired: Set<[UInt8]> = []

        /// Adds a keyword. Returns the number of names that it has, and 1 for itself; more for long names.
        mutating func add(_ name: UnsafeRawBufferPointer, _ value: JSONValue) -> Int {
            var cost = 1 + name.count / AllOfMerger.keywordBytes
            if known.insert(Array(name)).inserted { all.append((name, value)) }
            if name.equals("properties") {
                for (name, schema) in value.members ?? [] {
                    cost += 1 + name.count / AllOfMerger.keywordBytes
                    if schemas[Array(name)] == nil { properties.append(name) }
                    schemas[Array(name), default: []].append(schema)
                }
            } else if name.equals("required") {
                for element in value.elements ?? JSONElements() {
                    cost += 1 + (element.text?.count ?? 0) / AllOfMerger.keywordBytes
                    guard let name = element.text, knownRequired.insert(Array(name)).inserted else { continue }
                    required.append(name)
                }
            }
            return cost
        }
    }

    private let root: JSONValue
    private var references = SchemaReferences()
    /// The targets of the references that are being followed, as positions in the JSON.
    private var open: [Int] = []
    private var depth = 0
    /// The number of calls inside each other that read or append a value.
    private var level = 0
    /// The number of keywords and properties that may still be read.
    private var keywordsLeft = 20_000
    private let limitBytes: Int

    // References can make a short schema endless. What is beyond the limits is left out.
    private static let maxDepth = 16
    private static let maxLevels = 256
    private static let maxOpen = 64
    private static let moreBytes = 262_144
    /// The bytes of a reference or a name that count as a keyword.
    private static let keywordBytes = 16

    /// Returns the schema with one schema in place of each `allOf` of several; the schema itself if it has none, or is
    /// not JSON.
    static func merged(_ schema: Body) -> Body {
        var scan = ByteScan(schema.bytes)
        guard scan.find(#""allOf""#) else { return schema }
        let merged = JSONParser.read(schema.bytes) { root in
            var merger = AllOfMerger(root: root, limitBytes: schema.bytes.count + moreBytes)
            var out = ByteBuffer()
            merger.append(root, to: &out)
            return Body(out)
        }
        return merged ?? schema
    }

    private mutating func append(_ value: JSONValue, to out: inout ByteBuffer) {
        level += 1
        defer { level -= 1 }
        if level > Self.maxLevels {
            out.append("{}")
        } else if (value["allOf"]?.count ?? 0) > 1 {
            append(merged: [value], to: &out)
        } else if let members = value.members {
            out.append("{")
            for member in members where begin(member.name, &out) { append(member.value, to: &out) }
            out.append("}")
        } else if let elements = value.elements {
            out.append("[")
            for element in elements where begin(nil, &out) { append(element, to: &out) }
            out.append("]")
        } else {
            value.append(to: &out)
        }
    }

    /// Appends one schema in place of several.
    private mutating func append(merged schemas: [JSONValue], to out: inout ByteBuffer) {
        depth += 1
        defer { depth -= 1 }
        var keywords = Keywords()
        if depth <= Self.maxDepth, out.count < limitBytes {
            for schema in schemas { read(schema, &keywords) }
        }
        out.append("{")
        for keyword in keywords.all where begin(keyword.name, &out) {
            switch keyword.name {
            case "properties": append(propertiesOf: keywords, to: &out)
            case "required": out.append(array: keywords.required) { name, out in out.append(json: name) }
            default: append(keyword.value, to: &out)
            }
        }
        out.append("}")
    }

    private mutating func append(propertiesOf keywords: Keywords, to out: inout ByteBuffer) {
        out.append("{")
        for name in keywords.properties where begin(name, &out) {
            let schemas = keywords.schemas[Array(name)] ?? []
            if schemas.count == 1 { append(schemas[0], to: &out) } else { append(merged: schemas, to: &out) }
        }
        out.append("}")
    }

    /// Begins an element, or a member with this name. Returns false if the result has reached its limit.
    private func begin(_ name: UnsafeRawBufferPointer?, _ out: inout ByteBuffer) -> Bool {
        guard out.count < limitBytes else { return false }
        if let last = out.bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") { out.append(",") }
        guard let name else { return true }
        out.append(json: name)
        out.append(":")
        return true
    }

    /// Reads the keywords of a schema, and then those of the schemas that it must also match.
    private mutating func read(_ schema: JSONValue, _ keywords: inout Keywords) {
        level += 1
        defer { level -= 1 }
        keywordsLeft -= 1
        guard keywordsLeft >= 0, level <= Self.maxLevels else { return }
        for (name, value) in schema.members ?? [] where !name.equals("allOf") && !name.equals("$ref") {
            keywordsLeft -= keywords.add(name, value)
        }
        let reference = schema["$ref"]?.text
        keywordsLeft -= (reference?.count ?? 0) / Self.keywordBytes
        if let reference, keywordsLeft >= 0, open.count < Self.maxOpen,
            let target = references.target(of: reference, in: root), !open.contains(target.index)
        {
            open.append(target.index)
            read(target, &keywords)
            open.removeLast()
        }
        for part in schema["allOf"]?.elements ?? JSONElements() { read(part, &keywords) }
    }
}
