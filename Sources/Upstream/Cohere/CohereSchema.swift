import Engine
import Shared

/// Checks a JSON Schema for Cohere's restrictions: each object schema must have at least one required member.
struct CohereSchema {
    private static let limitBytes = 65_536

    /// Whether Cohere supports the output format. A format without a schema is always supported.
    static func takes(_ format: ChatOptions.Format) -> Bool {
        guard case .schema(_, let schema?, _) = format else { return true }
        return read(schema) { $0["type"]?.text == "object" && isTaken($0) } ?? false
    }

    static func isEmpty(_ schema: Body) -> Bool { RawJSON(schema.bytes).members.first { _ in true } == nil }

    static func hasRequired(_ schema: Body) -> Bool {
        RawJSON(schema.bytes)["required"]?.elements.contains { _ in true } ?? false
    }

    private static func read(_ schema: Body, _ judge: (JSONValue) -> Bool) -> Bool? {
        guard schema.bytes.count <= limitBytes else { return nil }
        let parser = JSONParser()
        guard let root = try? parser.parse(schema.bytes) else { return nil }
        return withExtendedLifetime(parser) { judge(root) }
    }

    /// Whether Cohere supports a part of a schema: a JSON value, with all values inside it.
    private static func isTaken(_ value: JSONValue) -> Bool {
        switch value.kind {
        case .object:
            let isObject = value["type"]?.text == "object" && value["properties"]?.kind != .string
            if isObject, value["required"]?.elements?.contains(where: { _ in true }) != true { return false }
            return (value.members ?? []).allSatisfy { isTaken($0.value) }
        case .array: return value.elements?.allSatisfy(isTaken) ?? true
        default: return true
        }
    }
}
