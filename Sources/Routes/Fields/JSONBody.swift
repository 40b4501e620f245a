import Engine
import Shared
import Upstream

/// Functions that check and parse JSON request bodies and pass them to the endpoint.
enum JSONBody {
    /// The largest body that is parsed on the event loop, in bytes.
    static let loopBytes = 262_144
    /// The smallest body, in bytes, for which the parser creates an outline, which is a list of the JSON object's
    /// members.
    static let outlinedBytes = 4_096
    /// The longest time that a large body waits while the worker thread parses earlier bodies, in nanoseconds.
    static let patienceNanoseconds: UInt64 = 30_000_000_000
    static let bound = JSONShape.Bound(values: 100_000, elements: 10_000, depth: 1_024)

    static func read<Value>(
        _ bytes: UnsafeRawBufferPointer,
        by parser: JSONParser,
        _ read: (JSONValue) throws(APIError) -> Value
    ) throws(APIError) -> Value {
        defer { parser.trim() }
        try begin(bytes, parser)
        return try value(of: try finish(bytes, parser), read)
    }

    /// Returns the result of `read`. Its error gets the name of the model in the body.
    private static func value<Value>(
        of root: JSONValue,
        _ read: (JSONValue) throws(APIError) -> Value
    ) throws(APIError) -> Value {
        do throws(APIError) {
            return try read(root)
        } catch {
            var error = error
            if let model = root["model"]?.text, model.count <= Model.nameLimitBytes { error.model = model.text }
            throw error
        }
    }

    /// Reads a JSON body that may be sent to a vendor unchanged. `Exchange.jsonAndOriginal` describes the parameters.
    static func read<Value>(
        _ body: Body,
        by parser: JSONParser,
        _ canLeaveTools: (JSONOutline) -> Bool,
        _ read: (JSONValue, Int) throws(APIError) -> Value
    ) throws(APIError) -> (Value, OriginalRequest) {
        defer { parser.trim() }
        try begin(body.bytes, parser)
        guard body.bytes.count >= outlinedBytes, let outline = parser.outline() else {
            let root = try finish(body.bytes, parser)
            let value = try value(of: root) { (root) throws(APIError) in try read(root, 0) }
            return (value, OriginalRequest(body, names: root.names))
        }
        var left = 0
        if let tools = outline["tools"], tools.plainTools > 0, canLeaveTools(outline) {
            left = tools.plainTools
            parser.leaveOut(tools)
        }
        let root = try finish(body.bytes, parser)
        let value = try value(of: root) { (root) throws(APIError) in try read(root, left) }
        return (value, OriginalRequest(body, outline, names: root.names))
    }

    /// Starts parsing a body. Throws if the body has too many values.
    private static func begin(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(APIError) {
        // The parser's memory grows with the text, so a long text is counted first.
        let isLong = bytes.count > loopBytes
        if isLong { try checkShape(bytes) }
        let signs: Int
        do throws(JSONError) {
            signs = try parser.begin(bytes)
        } catch {
            if !isLong { try checkShape(bytes) }
            throw failure(error, bytes)
        }
        // Each element has a comma or bracket besides its own sign.
        if !isLong, signs > min(bound.values, 2 * bound.elements) { try checkShape(bytes) }
    }

    private static func finish(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(APIError) -> JSONValue {
        do throws(JSONError) { return try parser.finish() } catch { throw failure(error, bytes) }
    }

    private static func failure(_ error: JSONError, _ bytes: UnsafeRawBufferPointer) -> APIError {
        if error.isTooDeep { return tooDeep }
        return error.isOutOfMemory ? APIError(.overloaded) : notJSON(bytes)
    }

    private static func checkShape(_ bytes: UnsafeRawBufferPointer) throws(APIError) {
        guard bytes.count >= JSONShape.harmlessBytes, !JSONShape.isHarmless(bytes, bound) else { return }
        try check(JSONShape(bytes, upTo: bound))
    }

    @inline(never)  // Rarely called.
    private static func notJSON(_ bytes: UnsafeRawBufferPointer) -> APIError {
        guard bytes.contains(where: { $0 > 32 }) else {
            return APIError(400, "The body is empty. Send a JSON object.")
        }
        guard let mistake = JSONMistake(in: bytes) else {
            guard let offset = bytes.firstInvalidUTF8 else {
                return APIError(400, "The body is not valid JSON in UTF-8.")
            }
            let cause = "At byte \(offset + 1) it is not UTF-8; encode the text of the body as UTF-8."
            return APIError(400, "The body is not valid JSON in UTF-8. \(cause)")
        }
        let place = mistake.offset < bytes.count ? "byte \(mistake.offset + 1)" : "its end (byte \(bytes.count))"
        return APIError(400, "The body is not valid JSON: at \(place), \(mistake.expected) is expected.")
    }

    private static func check(_ shape: JSONShape) throws(APIError) {
        if shape.maxElements > bound.elements {
            let name = shape.maxElementsName
            throw APIError(
                400,
                "Invalid '\(name)': array too long. Expected at most \(bound.elements) elements.",
                code: "array_above_max_length",
                param: name
            )
        }
        if shape.values > bound.values {
            throw APIError(
                400,
                "The body has too many values: expected at most \(bound.values) elements and members.",
                code: "too_many_values"
            )
        }
        if shape.depth > bound.depth { throw tooDeep }
    }

    private static var tooDeep: APIError {
        APIError(
            400,
            "The body is nested too deeply: expected at most \(bound.depth) levels.",
            code: "nested_too_deeply"
        )
    }
}
