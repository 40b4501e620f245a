/// Kinds of JSON values.
struct JSONTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = JSONTypes(rawValue: 1)
    static let boolean = JSONTypes(rawValue: 2)
    static let object = JSONTypes(rawValue: 4)
    static let array = JSONTypes(rawValue: 8)
    static let string = JSONTypes(rawValue: 16)
    static let integer = JSONTypes(rawValue: 32)
    /// Integers too.
    static let number = JSONTypes(rawValue: 64)

    static let names: [(type: JSONTypes, name: StaticString, phrase: String)] = [
        (.null, "null", "null"), (.boolean, "boolean", "a boolean"), (.object, "object", "an object"),
        (.array, "array", "an array"), (.string, "string", "a string"), (.integer, "integer", "an integer"),
        (.number, "number", "a number"),
    ]

    /// As "a string or null".
    var phrase: String { Self.names.filter { contains($0.type) }.map(\.phrase).joined(separator: " or ") }
}

/// One schema of a document of schemas; others are named by their places in it.
///
/// `@unchecked`: written while it is read only, by one thread.
final class SchemaNode: @unchecked Sendable {
    struct Values: Sendable {
        /// In their canonical forms.
        var table = NameTable()
        /// All are strings: none needs a canonical form.
        var texts: NameTable?
        /// As an error quotes them.
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
        /// As it was written, for errors.
        var patternText = ""
        var format: TextFormat?
    }

    struct ArrayRules: Sendable {
        var prefix: [Int] = []
        var items: Int?
        var contains: Int?
        var leastContained: Int?
        var mostContained: Int?
        var least: Int?
        var most: Int?
        var isUnique = false
        var unevaluated: Int?
    }

    struct ObjectRules: Sendable {
        var names = NameTable()
        /// By the number of the name.
        var schemas: [Int] = []
        var patterns: [(pattern: TextPattern, schema: Int)] = []
        /// A pattern that is not understood could allow any property.
        var isOpen = false
        var additional: Int?
        var required = NameTable()
        var least: Int?
        var most: Int?
        var propertyNames: Int?
        /// By the number of the name.
        var dependentNames = NameTable()
        var dependentRequired: [[String]] = []
        var dependentSchemaNames = NameTable()
        var dependentSchemas: [Int] = []
        var unevaluated: Int?
    }

    /// `true` or `false` as a schema.
    var always: Bool?
    var types: JSONTypes?
    /// Of `enum` and `const`.
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

    /// It asks what other schemas saw of a value.
    var isTracking: Bool { array?.unevaluated != nil || object?.unevaluated != nil }
}
