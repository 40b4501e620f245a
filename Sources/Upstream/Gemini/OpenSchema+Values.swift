import Engine

/// Reads the values that a schema lists.
extension OpenSchema {
    /// Returns the values that a schema lists in `enum` or `const`; empty if it lists none.
    static func values(of schema: JSONValue) -> [JSONValue] {
        schema["enum"]?.elements.map { Array($0) } ?? schema["const"].map { [$0] } ?? []
    }

    /// Whether all values are strings. Only strings can be written as `enum`; other values are written into the
    /// description.
    static func areTexts(_ values: [JSONValue]) -> Bool {
        !values.isEmpty && values.allSatisfy { $0.kind == .string }
    }

    /// Returns the type of listed values; nil if it is not a flag or a number, or if the types differ.
    static func type(of values: [JSONValue]) -> StaticString? {
        let kinds = Set(values.map(\.kind))
        if kinds == [.flag] { return #""BOOLEAN""# }
        if kinds == [.integer] { return #""INTEGER""# }
        return !kinds.isEmpty && kinds.isSubset(of: [.integer, .decimal]) ? #""NUMBER""# : nil
    }
}
