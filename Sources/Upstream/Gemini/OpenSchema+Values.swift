import Engine

/// The values that a schema lists.
extension OpenSchema {
    /// All that it may be, if they are listed.
    static func values(of schema: JSONValue) -> [JSONValue] {
        schema["enum"]?.elements.map { Array($0) } ?? schema["const"].map { [$0] } ?? []
    }

    /// Only texts can be listed; other values are told in the description.
    static func areTexts(_ values: [JSONValue]) -> Bool {
        !values.isEmpty && values.allSatisfy { $0.kind == .string }
    }

    /// Nil: they have several.
    static func type(of values: [JSONValue]) -> StaticString? {
        let kinds = Set(values.map(\.kind))
        if kinds == [.flag] { return #""BOOLEAN""# }
        if kinds == [.integer] { return #""INTEGER""# }
        return !kinds.isEmpty && kinds.isSubset(of: [.integer, .decimal]) ? #""NUMBER""# : nil
    }
}
