import Engine
import Shared

/// The content of an error that 1min.ai reports, in a response body or a stream event.
struct OneMinFailure {
    /// The vendor's error codes that need special treatment.
    enum Code {
        static let unsupportedModel = "UNSUPPORTED_MODEL"
        static let missingFields = "MISSING_REQUIRED_FIELDS"
        /// The error code for a failure of the model's provider behind 1min.ai.
        static let external = "EXTERNAL_API_RESPONSE_WITH_ERROR"
        static let refusedFile = "UNSUPPORTED_FILE_TYPE"
        static let refusedPrompt = "PROMPT_OBJECT_VALIDATION_FAILED"
    }

    /// The HTTP status of the error. It is derived from the error code if the response had a successful status.
    let status: Int
    /// The vendor's error code; empty if there is none.
    let code: String
    /// The vendor's error message, not yet sanitized for clients; empty if there is none.
    private(set) var said: String
    /// The request fields that the vendor refused, each with the vendor's name of the field and message about the
    /// field.
    private(set) var fields: [(name: String, said: String)] = []
    /// The HTTP status of the provider behind 1min.ai; nil if the error does not contain it.
    private(set) var externalStatus: Int?
    /// The error message of the provider behind 1min.ai, not sanitized; nil if there is none.
    private(set) var externalSaid: String?
    /// The `Retry-After` of the provider behind 1min.ai, in seconds; nil if there is none.
    private(set) var externalRetrySeconds: Int?

    private static let textLimitBytes = 4_096
    private static let fieldsLimit = 16
    private static let nameLimitBytes = 100
    /// The largest number of levels at which JSON inside a JSON string is parsed.
    private static let depthLimit = 4

    /// Reads an error from parsed JSON. Afterwards `root` is invalid.
    /// - Parameter status: the HTTP status of an error response; nil if the response was successful.
    init(_ root: JSONValue, status: Int?, _ parser: JSONParser) {
        let code = (root["errorCode"]?.string ?? root["error"]?["code"]?.string ?? "").beginning(ofBytes: 200)
        self.code = code
        self.status = status ?? Self.status(of: code)
        said = Self.said(root) ?? ""
        let details = root["error"]?["details"] ?? root["details"]
        if let details { read(details: details, parser, depth: 0) }
    }

    /// Creates a failure from an error response whose body is not JSON.
    init(text: String, status: Int) {
        code = ""
        self.status = status
        said = text
    }

    /// Whether the vendor reported an error code or a message.
    var isReported: Bool { !code.isEmpty || !said.isEmpty }

    private mutating func read(details: JSONValue, _ parser: JSONParser, depth: Int) {
        if let text = details.text {
            Self.parsed(text, parser, depth: depth) { read(details: $0, parser, depth: depth + 1) }
            return
        }
        if let elements = details.elements {
            for element in elements.prefix(Self.fieldsLimit) {
                let name = element["field"]?.text.flatMap { $0.count <= Self.nameLimitBytes ? $0.text : nil } ?? ""
                fields.append((name, element["message"]?.string?.beginning(ofBytes: Self.textLimitBytes) ?? ""))
            }
            return
        }
        guard let response = details["response"] else { return }
        externalStatus = Self.number(response["status"])
        externalRetrySeconds = Self.number(response["headers"]?["retry-after"]).flatMap { $0 >= 0 ? $0 : nil }
        if let data = response["data"] { externalSaid = Self.message(data, parser, depth: depth) }
    }

    /// Returns the error message of the provider behind 1min.ai from its response; nil if none is found.
    private static func message(_ data: JSONValue, _ parser: JSONParser, depth: Int) -> String? {
        if let text = data.text {
            var message: String?
            parsed(text, parser, depth: depth) { message = Self.message($0, parser, depth: depth + 1) }
            return message
        }
        let data = data.elements?.first { _ in true } ?? data
        guard let said = data["message"] ?? data["error"]?["message"] else {
            guard let inner = data["error"], inner.kind == .string else { return nil }
            return message(inner, parser, depth: depth)
        }
        guard let text = said.text, !isJSON(text) else { return message(said, parser, depth: depth) }
        return text.text.beginning(ofBytes: textLimitBytes)
    }

    /// Whether the text is JSON or looks like the beginning of JSON.
    static func isJSON(_ text: UnsafeRawBufferPointer) -> Bool {
        // JSON may also be a string within a string.
        let first = text.first { $0 > 32 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    /// Parses a text and passes the value to `read`. Does not call `read` if the text is not JSON or nested too deeply.
    /// Values that the parser returned before become invalid.
    private static func parsed(
        _ text: UnsafeRawBufferPointer,
        _ parser: JSONParser,
        depth: Int,
        _ read: (JSONValue) -> Void
    ) {
        guard depth < depthLimit, isJSON(text) else { return }
        var copy = ByteBuffer()
        copy.append(text)
        if let root = try? parser.parse(copy.bytes) { read(root) }
    }

    private static func number(_ value: JSONValue?) -> Int? {
        value?.integer.flatMap { Int(exactly: $0) } ?? value?.string.flatMap { Int($0.trimmed) }
    }

    /// Returns the HTTP status that matches one of the vendor's error codes.
    private static func status(of code: String) -> Int {
        switch code {
        case "UNAUTHORIZED": 401
        case Code.refusedPrompt: 422
        case "RATE_LIMITED": 429
        case Code.unsupportedModel, Code.missingFields, Code.external: 400
        default: 500
        }
    }

    /// Returns the error message in a response, or several messages joined to one; nil if there is none.
    private static func said(_ root: JSONValue) -> String? {
        for value in [root["message"], root["error"]?["message"], root["error"], root["detail"]] {
            guard let value else { continue }
            if let text = value.string { return text.beginning(ofBytes: textLimitBytes) }
            if let list = value.elements {
                let texts = list.prefix(16).compactMap { $0.string }
                return texts.joined(separator: " ").beginning(ofBytes: textLimitBytes)
            }
        }
        return nil
    }
}
