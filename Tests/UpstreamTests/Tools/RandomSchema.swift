import Support

/// A JSON value of a test. A `hidden` value is written on demand only.
indirect enum TestJSON {
    case raw(String)
    case array([TestJSON])
    case object([(name: String, value: TestJSON)])
    case hidden(TestJSON)

    func text(showsHidden: Bool = false) -> String {
        switch self {
        case .raw(let text): return text
        case .hidden(let value): return value.text(showsHidden: showsHidden)
        case .array(let elements):
            return "[" + elements.map { $0.text(showsHidden: showsHidden) }.joined(separator: ",") + "]"
        case .object(let members):
            let shown = members.filter { member in
                if case .hidden = member.value { showsHidden } else { true }
            }
            return "{"
                + shown.map { "\"\($0.name)\":\($0.value.text(showsHidden: showsHidden))" }.joined(separator: ",") + "}"
        }
    }

    subscript(name: String) -> TestJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}

/// A generator of random schemas (draft 2020-12) and of values that often match them.
struct RandomSchema {
    var random: Seeded
    private var definitions: [String: TestJSON] = [:]
    private static let names = ["a", "b", "c", "d"]
    private static let types = ["object", "array", "string", "integer", "number", "boolean", "null"]

    init(_ seed: UInt64) { random = Seeded(seed) }

    /// Returns a schema with definitions. Objects with properties that say nothing about other members have a hidden
    /// member that allows no others. Inside `if`, `not` and `oneOf`, the hidden member can also allow more.
    mutating func root(isObject: Bool = false) -> TestJSON {
        definitions = [:]
        for name in ["x", "y"] { definitions[name] = schema(depth: 2) }
        var members = self.members(depth: 0, type: isObject ? "object" : nil)
        members.append(("$defs", .object(definitions.map { ($0.key, $0.value) })))
        return .object(members)
    }

    private mutating func chance(_ percent: Int) -> Bool { random.below(100) < percent }

    private mutating func schema(depth: Int) -> TestJSON {
        if chance(4) { return .raw(random.pick(["true", "{}", "false"])) }
        if depth > 3 { return .object([("type", .raw("\"\(random.pick(["string", "integer", "null"]))\""))]) }
        if chance(10) { return .object([("$ref", .raw("\"#/$defs/\(random.pick(["x", "y"]))\""))]) }
        return .object(members(depth: depth, type: nil))
    }

    private mutating func list(_ depth: Int, _ most: Int = 2) -> TestJSON {
        .array((0...random.below(most)).map { _ in schema(depth: depth + 1) })
    }

    private mutating func members(depth: Int, type wanted: String?) -> [(name: String, value: TestJSON)] {
        var out: [(name: String, value: TestJSON)] = []
        let type = wanted ?? random.pick(Self.types)
        let isPlain = wanted != nil || chance(70)
        if isPlain {
            let types = [type] + (chance(15) ? (0..<random.below(4)).map { _ in random.pick([type, "null"]) } : [])
            let texts = types.map { TestJSON.raw("\"\($0)\"") }
            out.append(("type", texts.count == 1 && !chance(3) ? texts[0] : .array(texts)))
        }
        if chance(15) { out.append(("description", .raw("\"words\""))) }
        switch type {
        case "object": addObject(depth, &out)
        case "array": addArray(depth, &out)
        case "string":
            if chance(20) { out.append(("minLength", .raw("\(random.below(3))"))) }
            if chance(10) { out.append(("pattern", .raw(#""^[ab]""#))) }
            if chance(10) { out.append(("format", .raw(random.pick([#""date""#, #""odd""#])))) }
        case "integer", "number":
            if chance(20) { out.append(("minimum", .raw("\(random.below(3))"))) }
            if chance(10) { out.append(("exclusiveMaximum", .raw("5"))) }
            if chance(10) { out.append(("multipleOf", .raw("2"))) }
        default: break
        }
        if chance(10) {
            let texts = ["\"a\"", "\"ab\"", "\"null\"", "null"]
            let all = ["\"a\"", "\"\"", "null", "1", "2.5", "true", "[1]", #"{"a":1}"#]
            let values = random.pick([all, all, texts, ["1", "2.5", "null"]])
            out.append(("enum", .array((0...random.below(4)).map { _ in .raw(random.pick(values)) })))
        }
        if chance(4) { out.append(("const", .raw(random.pick(["\"a\"", "1", "null", "true", #"{"a":1}"#])))) }
        if chance(12) { out.append(("anyOf", list(depth, 3))) }
        if chance(8) { out.append(("oneOf", list(depth, 3))) }
        if chance(8) { out.append(("allOf", list(depth))) }
        if chance(4) { out.append(("not", schema(depth: depth + 1))) }
        if chance(4) { out += [("if", schema(depth: depth + 1)), ("then", schema(depth: depth + 1))] }
        if chance(depth == 0 ? 8 : 2) { out.append(("$ref", .raw("\"#/$defs/x\""))) }
        return out
    }

    private mutating func addObject(_ depth: Int, _ out: inout [(name: String, value: TestJSON)]) {
        var names: [String] = []
        if chance(85) {
            names = Self.names.filter { _ in random.below(2) == 0 }
            out.append(("properties", .object(names.map { ($0, schema(depth: depth + 1)) })))
        }
        if chance(50) {
            let known = chance(90) ? names : Self.names
            out.append(("required", .array(known.filter { _ in random.below(2) == 0 }.map { .raw("\"\($0)\"") })))
        }
        switch random.below(10) {
        case 0...3: out.append(("additionalProperties", .raw("false")))
        case 4: out.append(("additionalProperties", .raw("true")))
        case 5: out.append(("additionalProperties", schema(depth: depth + 1)))
        default:
            if out.contains(where: { $0.name == "properties" }) {
                out.append(("additionalProperties", .hidden(.raw("false"))))
            }
        }
        if chance(5) { out.append(("patternProperties", .object([("^b", schema(depth: depth + 1))]))) }
        if chance(5) { out.append(("propertyNames", .raw(#"{"pattern":"^[abc]"}"#))) }
        if chance(5) { out.append(("minProperties", .raw("1"))) }
        if chance(4) {
            out.append(("unevaluatedProperties", .raw(random.pick(["false", "true", #"{"type":"integer"}"#]))))
        }
        if chance(4) { out.append(("dependentRequired", .raw(#"{"a":["b"]}"#))) }
        if chance(4) { out.append(("dependentSchemas", .object([("a", schema(depth: depth + 1))]))) }
    }

    private mutating func addArray(_ depth: Int, _ out: inout [(name: String, value: TestJSON)]) {
        if chance(60) { out.append(("items", schema(depth: depth + 1))) }
        if chance(15) { out.append(("prefixItems", list(depth))) }
        if chance(15) { out.append(("minItems", .raw("\(random.below(3))"))) }
        if chance(10) { out.append(("maxItems", .raw("2"))) }
        if chance(5) { out.append(("contains", schema(depth: depth + 1))) }
        if chance(5) { out.append(("uniqueItems", .raw("true"))) }
    }

    // MARK: Values

    /// Returns the text of a value that may match the schema.
    mutating func value(for schema: TestJSON, depth: Int = 0) -> String {
        guard case .object(let members) = schema, !members.isEmpty, depth < 6, !chance(8) else { return any(depth) }
        if let reference = schema["$ref"], case .raw(let text) = reference {
            return value(for: definitions[String(text.dropLast().suffix(1))] ?? schema, depth: depth + 1)
        }
        if case .array(let values)? = schema["enum"], chance(90) { return random.pick(values).text() }
        if let only = schema["const"], chance(90) { return only.text() }
        for name in ["anyOf", "oneOf", "allOf"] {
            if case .array(let choices)? = schema[name], chance(schema["properties"] == nil ? 90 : 30) {
                return value(for: random.pick(choices), depth: depth + 1)
            }
        }
        var type = random.pick(Self.types)
        switch schema["type"] {
        case .raw(let text)?: type = String(text.dropFirst().dropLast())
        case .array(let types)?: type = String(random.pick(types).text().dropFirst().dropLast())
        default: if schema["properties"] != nil { type = "object" }
        }
        return value(of: type, for: schema, depth: depth)
    }

    private mutating func value(of type: String, for schema: TestJSON, depth: Int) -> String {
        switch type {
        case "object":
            var members: [String] = []
            if case .object(let properties)? = schema["properties"] {
                for property in properties where chance(70) {
                    members.append("\"\(property.name)\":\(value(for: property.value, depth: depth + 1))")
                }
            }
            if chance(25) {
                let free = schema["additionalProperties"] ?? .raw("true")
                members.append("\"\(random.pick(["e", "b1"]))\":\(value(for: free, depth: depth + 1))")
            }
            return "{" + members.joined(separator: ",") + "}"
        case "array":
            let items = schema["items"] ?? .raw("true")
            return "["
                + (0..<random.below(4)).map { _ in value(for: items, depth: depth + 1) }.joined(separator: ",") + "]"
        case "string": return random.pick([#""""#, #""a""#, #""ab""#, #""2024-01-02""#, #""xyz""#])
        case "integer": return "\(random.below(8))"
        case "number": return random.pick(["1", "2.5", "-1", "4"])
        case "boolean": return random.pick(["true", "false"])
        default: return "null"
        }
    }

    private mutating func any(_ depth: Int) -> String {
        if depth > 3 { return "1" }
        switch random.below(8) {
        case 0: return #"{"a":\#(any(depth + 1))}"#
        case 1: return #"{"a":1,"b":"x"}"#
        case 2: return "[\(any(depth + 1))]"
        default: return random.pick(["null", "1", "2.5", "true", #""a""#, #""""#, "{}", "[]"])
        }
    }
}
