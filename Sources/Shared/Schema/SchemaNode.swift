/// A set of JSON types, such as the types that a schema allows.
struct JSONTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = JSONTypes(rawValue: 1)
    static let boolean = JSONTypes(rawValue: 2)
    static let object = JSONTypes(rawValue: 4)
    static let array = JSONTypes(rawValue: 8)
    static let string = JSONTypes(rawValue: 16)
    static let integer = JSONTypes(rawValue: 32)
    /// The type of all numbers, including integers.
    static let number = JSONTypes(rawValue: 64)

    static let names: [(type: JSONTypes, name: StaticString, phrase: String)] = [
        (.null, "null", "null"), (.boolean, "boolean", "a boolean"), (.object, "object", "an object"),
        (.array, "array", "an array"), (.string, "string", "a string"), (.integer, "integer", "an integer"),
        (.number, "number", "a number"),
    ]

    /// The types in words, for error messages, such as "a string or null".
    var phrase: String { Self.names.filter { contains($0.type) }.map(\.phrase).joined(separator: " or ") }
}

/// The rules of one schema or subschema, with its subschemas' indexes in `JSONSchema.nodes`.
///
/// `@unchecked`: the node only changes while one thread parses the schema.
final class SchemaNode: @unchecked Sendable {
    struct Values: Sendable {
        /// The allowed values as canonical JSON texts.
        var table = NameTable()
        /// The allowed values as plain strings, for faster comparison; nil if a value is not a string.
        var texts: NameTable?
        /// The allowed values as a list for error messages.
        var list = ""
    }

    struct NumberRules: Sendable {
        var minimum: Double?
        var maximum: Double?
        var above: Double?
        var below: Double?
        var multipleOf: Double?
    }

    struct TextRules: Sendable {
        var least: Int?
        var most: Int?
        var pattern: TextPattern?
        /// The pattern as the schema contains it, for error messages.
        var patternText = ""
        var format: TextFormat?
    }

    struct ArrayRules: Sendable {
        var prefix: [Int] = []
        var items: Int?
        var contains: Int?
        var minContained: Int?
        var maxContained: Int?
        var least: Int?
        var most: Int?
        var isUnique = false
        var unevaluated: Int?
    }

    struct ObjectRules: Sendable {
        var names = NameTable()
        /// The schema of each member, as an index in `JSONSchema.nodes`, in the order of the member names in `names`.
        var schemas: [Int] = []
        var patterns: [(pattern: TextPattern, schema: Int)] = []
        /// Whether `patternProperties` contains an unsupported pattern. `additionalProperties` is then ignored, since
        /// that pattern might match any member.
        var isOpen = false
        var additional: Int?
        var required = NameTable()
        var least: Int?
        var most: Int?
        var propertyNames: Int?
        /// The names of members that require other members. A name's number is also its index in `dependentRequired`,
        /// which has the required names.
        var dependentNames = NameTable()
        var dependentRequired: [[String]] = []
        var dependentSchemaNames = NameTable()
        var dependentSchemas: [Int] = []
        var unevaluated: Int?
    }

    /// The boolean if the whole schema is just `true` (allows everything) or `false` (allows nothing); else nil.
    var always: Bool?
    var types: JSONTypes?
    /// The allowed values. The keyword `enum` gives one element, which contains its values, and `const` another one.
    var values: [Values] = []
    var number: NumberRules?
    var text: TextRules?
    var array: ArrayRules?
    var object: ObjectRules?
    var reference: Int?
    var all: [Int] = []
    var any: [Int] = []
    var one: [Int] = []
    var no: Int?
    var condition: Int?
    var then: Int?
    var otherwise: Int?

    /// Whether the schema has the keyword `unevaluatedProperties` or `unevaluatedItems`.
    var isTracking: Bool { array?.unevaluated != nil || object?.unevaluated != nil }
}
