/// The set of JSON types that a schema allows.
struct JSONTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = JSONTypes(rawValue: 1)
    static let boolean = JSONTypes(rawValue: 2)
    static let object = JSONTypes(rawValue: 4)
    static let array = JSONTypes(rawValue: 8)
    static let string = JSONTypes(rawValue: 16)
    static let integer = JSONTypes(rawValue: 32)
    /// Any number, including integers.
    static let number = JSONTypes(rawValue: 64)

    static let names: [(type: JSONTypes, name: StaticString, phrase: String)] = [
        (.null, "null", "null"), (.boolean, "boolean", "a boolean"), (.object, "object", "an object"),
        (.array, "array", "an array"), (.string, "string", "a string"), (.integer, "integer", "an integer"),
        (.number, "number", "a number"),
    ]

    /// The types as a phrase, such as "a string or null".
    var phrase: String { Self.names.filter { contains($0.type) }.map(\.phrase).joined(separator: " or ") }
}

/// One schema or subschema of a document. Other nodes are referred to by their numbers.
///
/// `@unchecked`: it is only changed while the schema is read, by one thread.
final class SchemaNode: @unchecked Sendable {
    struct Values: Sendable {
        /// The values in canonical form.
        var table = NameTable()
        /// The values if all are strings, which need no canonical form; else nil.
        var texts: NameTable?
        /// The values as error messages list them.
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
        /// The source of the pattern, for errors.
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
        /// The schemas of the members, by the number of the name.
        var schemas: [Int] = []
        var patterns: [(pattern: TextPattern, schema: Int)] = []
        /// Whether a pattern of `patternProperties` is unsupported, so that any property may be allowed.
        var isOpen = false
        var additional: Int?
        var required = NameTable()
        var least: Int?
        var most: Int?
        var propertyNames: Int?
        /// The names of `dependentRequired`; a name's number is the index in `dependentRequired`.
        var dependentNames = NameTable()
        var dependentRequired: [[String]] = []
        var dependentSchemaNames = NameTable()
        var dependentSchemas: [Int] = []
        var unevaluated: Int?
    }

    /// The value of a schema that is only `true` or `false`; else nil.
    var always: Bool?
    var types: JSONTypes?
    /// The allowed values of `enum` and of `const`.
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

    /// Whether the schema needs to know which parts of the value other schemas have evaluated.
    var isTracking: Bool { array?.unevaluated != nil || object?.unevaluated != nil }
}
