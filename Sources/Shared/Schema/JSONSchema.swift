package import Engine

/// A parsed JSON Schema (draft 2020-12) that validates documents. Work and depth are bounded, since schemas and
/// documents come from outside.
package struct JSONSchema: Sendable {
    let nodes: [SchemaNode]
    let root: Int
    /// The parts of the schema that are not checked: patterns beyond the supported subset.
    package let remarks: [String]

    package static let maxNodes = 20_000
    /// The largest depth of nested schemas.
    package static let maxDepth = 100

    /// Parses a schema. Throws for references to other documents and for `$dynamicRef`.
    package init(_ value: JSONValue) throws(SchemaError) {
        var reader = SchemaReader(value)
        root = try reader.read()
        nodes = reader.nodes
        remarks = reader.remarks
    }

    /// Validates a document.
    ///
    /// - Parameters:
    ///   - bytes: the size of the document's text, which bounds the work.
    ///   - checksFormats: whether known `format`s are checked; if false, they only describe.
    package func validation(on value: JSONValue, bytes: Int, checksFormats: Bool = true) -> SchemaValidation {
        var check = SchemaCheck(self, steps: Self.fewSteps + Self.stepsPerByte * bytes, checksFormats: checksFormats)
        let fits = check.fits(root, value, nil)
        return SchemaValidation(
            problems: fits && !check.isOut ? [] : check.problems,
            isUndecided: check.isOut,
            fits: fits && !check.isOut
        )
    }

    static let fewSteps = 100_000
    static let stepsPerByte = 32
}
