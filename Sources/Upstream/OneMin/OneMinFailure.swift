import Calls
import Engine
import Shared

/// A failure as the vendor reports it in a body or an event, read into texts.
struct OneMinFailure {
    /// The codes that a body's status says nothing about.
    enum Code {
        static let unsupportedModel = "UNSUPPORTED_MODEL"
        static let missingFields = "MISSING_REQUIRED_FIELDS"
        /// The provider of the model answered with an error, which stands in the details.
        static let external = "EXTERNAL_API_RESPONSE_WITH_ERROR"
        static let refusedFile = "UNSUPPORTED_FILE_TYPE"
        static let refusedPrompt = "PROMPT_OBJECT_VALIDATION_FAILED"
    }

    /// The HTTP status; in a good response or an event the status that says the same as the code.
    let status: Int
    /// Empty if there is none.
    let code: String
    /// The vendor's own words, not cleaned; empty if there are none.
    private(set) var said: String
    /// The fields that the vendor names, as it calls them, each with what is wrong with it.
    private(set) var fields: [(name: String, said: String)] = []
    /// The status of the model's provider; nil if the details have none.
    private(set) var externalStatus: Int?
    /// The words of the model's provider, not cleaned; nil if the details have none.
    private(set) var externalSaid: String?
    /// The time for which the model's provider asks to wait.
    private(set) var externalRetrySeconds: Int?

    private static let textLimitBytes = 4_096
    private static let fieldsLimit = 16
    private static let nameLimitBytes = 100
    /// The strings with JSON in them that are read, one in the other.
    private static let depthLimit = 4

    /// Reads a body or an event. The parser reads other texts, so `root` is not valid afterwards.
    ///
    /// - Parameter status: nil: the response was a good one.
    init(_ root: JSONValue, status: Int?, _ parser: JSONParser) {
        let code = (root["errorCode"]?.string ?? root["error"]?["code"]?.string ?? "").beginning(ofBytes: 200)
        self.code = code
        self.status = status ?? Self.status(of: code)
        said = Self.said(root) ?? ""
        let details = root["error"]?["details"] ?? root["details"]
        if let details { read(details: details, parser, depth: 0) }
    }

    /// Creates a failure from a body that is not JSON.
    init(text: String, status: Int) {
        code = ""
        self.status = status
        said = text
    }

    /// Whether the body has a code or words.
    var isTold: Bool { !code.isEmpty || !said.isEmpty }

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

    /// The `message` of what a model's provider answered, at the few places where providers have it.
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

    /// Whether the text is JSON, or was before it was cut.
    static func isJSON(_ text: UnsafeRawBufferPointer) -> Bool {
        // Also as a string in a string.
        let first = text.first { $0 > 32 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    /// Reads a string that holds JSON. What was parsed before is not valid afterwards.
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

    /// A number, which may be written as a string.
    private static func number(_ value: JSONValue?) -> Int? {
        value?.integer.flatMap { Int(exactly: $0) } ?? value?.string.flatMap { Int($0.trimmed) }
    }

    /// Returns the status that says the same as the vendor's code.
    private static func status(of code: String) -> Int {
        switch code {
        case "UNAUTHORIZED": 401
        case Code.refusedPrompt: 422
        case "RATE_LIMITED": 429
        case Code.unsupportedModel, Code.missingFields, Code.external: 400
        default: 500
        }
    }

    /// `message`, `error.message`, `error`, `detail`; a message may be a list.
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
