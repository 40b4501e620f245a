/// A parsed JSON document, with the memory that its values need.
package final class JSONDocument {
    private let parser = JSONParser()
    private let body: Body
    private let root: JSONValue

    /// Parses a document; nil if the text is not valid JSON.
    package init?(_ body: Body) {
        guard !body.bytes.isEmpty, let root = try? parser.parse(body.bytes) else { return nil }
        (self.body, self.root) = (body, root)
    }

    /// Calls `reading` with the root. Values must not leave `reading`.
    package func read<Result>(_ reading: (JSONValue) -> Result) -> Result {
        withExtendedLifetime(self) { reading(root) }
    }
}
