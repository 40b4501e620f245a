package import Engine

/// A parsed JSON Schema (draft 2020-12) that validates JSON documents. The work and the nesting depth are limited.
package struct JSONSchema: Sendable {
    let nodes: [SchemaNode]
    let root: Int
    /// Notes about patterns in the schema that are not checked because of unsupported syntax.
    package let remarks: [String]

    package static let maxNodes = 20_000
    package static let maxDepth = 100

    /// Parses a schema. Throws if the schema is invalid, refers to another document, or uses `$dynamicRef`.
    package init(_ value: JSONValue) throws(SchemaError) {
        var reader = SchemaReader(value)
        root = try reader.read()
        nodes = reader.nodes
        remarks = reader.remarks
    }

    /// Validates a document against this schema.
    /// - Parameter bytes: the size of the document's text, which limits the work.
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
