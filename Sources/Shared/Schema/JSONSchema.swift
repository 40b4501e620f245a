package import Engine

/// A JSON Schema (draft 2020-12), read once, by which documents are judged. Work and depth are bounded, for schemas and
/// documents that others write.
package struct JSONSchema: Sendable {
    let nodes: [SchemaNode]
    let root: Int
    /// The parts that are not checked: patterns beyond the linear subset.
    package let notes: [String]

    package static let mostNodes = 20_000
    /// Levels of schemas in schemas.
    package static let mostDepth = 100

    /// References outside of the schema, and `$dynamicRef`, are refused.
    package init(_ value: JSONValue) throws(SchemaError) {
        var reader = SchemaReader(value)
        root = try reader.read()
        nodes = reader.nodes
        notes = reader.notes
    }

    /// - Parameters:
    ///   - bytes: of the document's text, by which the work is bounded.
    ///   - checksFormats: `format` is judged, for those that are known; else it only describes.
    package func verdict(on value: JSONValue, bytes: Int, checksFormats: Bool = true) -> SchemaVerdict {
        var check = SchemaCheck(self, steps: Self.fewSteps + Self.stepsPerByte * bytes, checksFormats: checksFormats)
        let fits = check.fits(root, value, nil)
        return SchemaVerdict(
            problems: fits && !check.isOut ? [] : check.problems,
            isUndecided: check.isOut,
            fits: fits && !check.isOut
        )
    }

    static let fewSteps = 100_000
    static let stepsPerByte = 32
}
