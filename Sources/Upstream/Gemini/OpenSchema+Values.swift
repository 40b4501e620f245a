import Engine

/// Reads the values that a schema allows with `enum` or `const`.
extension OpenSchema {
    /// Returns the values that a schema lists in `enum` or `const`; empty if it lists none.
    static func values(of schema: JSONValue) -> [JSONValue] {
        schema["enum"]?.elements.map { Array($0) } ?? schema["const"].map { [$0] } ?? []
    }

    /// Whether all values are strings; false if there are no values. Google supports only strings in `enum`.
    static func areTexts(_ values: [JSONValue]) -> Bool {
        !values.isEmpty && values.allSatisfy { $0.kind == .string }
    }

    /// Returns the type's name as JSON, such as `"BOOLEAN"`, if all values are booleans or all are numbers; otherwise
    /// nil.
    static func type(of values: [JSONValue]) -> StaticString? {
        let kinds = Set(values.map(\.kind))
        if kinds == [.flag] { return #""BOOLEAN""# }
        if kinds == [.integer] { return #""INTEGER""# }
        return !kinds.isEmpty && kinds.isSubset(of: [.integer, .decimal]) ? #""NUMBER""# : nil
    }
}
