import Engine
import Shared

/// A function that recognises errors which a vendor reports in its own way, and converts them. Returns nil for all
/// other errors.
typealias VendorErrorTable = @Sendable (VendorError) -> UpstreamError?

/// The content of a vendor's error response, in one form for all vendors.
struct VendorError: ReportedError {
    var status: Int
    var code = ""
    var type = ""
    var said = ""
    /// The part of the message that is read for its meaning; nil for all of it.
    var heard: String?
    var param: String?
    /// The names of further parameters that the error's details mention, in addition to `param`.
    var otherParams: [String] = []
    var retryAfterSeconds: Int?
    /// Google's `reason` for the error, such as `API_KEY_INVALID`; empty if there is none.
    var reason = ""
    var quota = ""
    /// The JSON in the message from which the error was read, and the error around it; nil if there was none.
    private var inner: (document: String, outer: Indirect<VendorError>)?

    /// The words that are read for their meaning.
    var wording: String { heard ?? said }
    var words: PhraseMatcher { PhraseMatcher(wording) }

    init(status: Int) { self.status = status }

    /// - Parameter depth: the number of servers that have repeated the error.
    init(_ root: JSONValue, status: Int, depth: Int = 0) {
        self.status = status
        var root = root
        if root.kind == .array, let first = root.elements?.first(where: { _ in true }) { root = first }
        let error =
            root["error"] ?? root["errors"]?.elements?.first { _ in true } ?? root["fault"]
            ?? root["Response"]?["Error"] ?? root
        let ofMiniMax = Self.word(root["base_resp"]?["status_code"]).flatMap { Self.codesOfMiniMax[$0] }
        code = ofMiniMax ?? Self.code(of: error) ?? Self.code(of: root) ?? ""
        // An error in the form of OAuth, which has a description besides.
        if code.isEmpty, root["error_description"] != nil { code = Self.word(root["error"]) ?? "" }
        type = Self.type(of: error) ?? Self.type(of: root) ?? Self.word(error["status"]) ?? ""
        said = Self.said(root)
        let details = Self.details(root)?.elements
        param =
            Self.param(error["param"])
            ?? Self.param(details?.first { _ in true }.flatMap(Self.fieldName) ?? Self.fieldName(root))
        otherParams = (details ?? JSONElements()).prefix(16).dropFirst().compactMap { Self.param(Self.fieldName($0)) }
        for detail in (error["details"]?.elements ?? JSONElements()).prefix(16) { read(detail) }
        if depth < Self.maxDepth { readInner((error["metadata"] ?? root["metadata"])?["raw"], depth: depth + 1) }
    }

    private static let maxDepth = 3
    /// The words for MiniMax's codes, which come with status 200 in `base_resp`.
    private static let codesOfMiniMax = [
        "1001": "timeout", "1002": "rate_limit_exceeded", "1004": "invalid_api_key", "1008": "insufficient_quota",
        "1026": "content_filter", "1027": "content_filter", "1039": "rate_limit_exceeded",
        "1041": "rate_limit_exceeded", "2013": "invalid_request_error", "2049": "invalid_api_key",
    ]

    /// Takes over the error of the server behind this one: an object, a text or JSON, or JSON in the message.
    private mutating func readInner(_ raw: JSONValue?, depth: Int) {
        if let raw, raw.kind == .object { return adopt(VendorError(raw, status: status, depth: depth), isOwn: true) }
        let outer = self
        if let text = raw?.text, !text.isEmpty { said = text[part: 0..<min(4_096, text.count)].text }
        let text = ByteBuffer(said)
        guard let start = text.bytes.first(UInt8(ascii: "{")) else { return }
        let document = text.bytes[part: start..<RawJSON.end(of: text.bytes, from: start)].text
        let json = ByteBuffer(document)
        guard let error = JSONParser.read(json.bytes, { VendorError($0, status: status, depth: depth) }) else { return }
        // A prompt that the server quotes could have a code.
        adopt(error, isOwn: raw != nil || start == 0)
        if raw == nil { inner = (document, Indirect(outer)) }
    }

    private mutating func adopt(_ error: VendorError, isOwn: Bool) {
        guard !error.said.isEmpty else { return }
        said = error.said
        (param, otherParams) = (error.param ?? param, error.otherParams + otherParams)
        guard isOwn else { return }
        if !error.code.isEmpty { code = error.code }
        if !error.type.isEmpty { type = error.type }
        if !error.reason.isEmpty { reason = error.reason }
        if !error.quota.isEmpty { quota = error.quota }
        retryAfterSeconds = retryAfterSeconds ?? error.retryAfterSeconds
    }

    /// Returns the error without its words, and without the codes and the wait that were read from them.
    var withoutWords: VendorError {
        var error = self
        error.heard = ""
        error.leaveInner()
        return error
    }

    private mutating func leaveInner() {
        guard let outer = inner?.outer.value else { return }
        (code, type, reason, quota) = (outer.code, outer.type, outer.reason, outer.quota)
        (retryAfterSeconds, inner) = (outer.retryAfterSeconds, nil)
    }

    /// Adds the wait that the head of the response demands, unless the error names one itself.
    mutating func wait(_ seconds: Int?) {
        retryAfterSeconds = retryAfterSeconds ?? seconds
        inner?.outer.value.wait(seconds)
    }

    /// Goes back to the whole message if the JSON in the message repeats strings of the request.
    mutating func distrustEcho(of request: UnsafeRawBufferPointer) {
        guard let inner else { return }
        let echo = EchoFinder(Array(inner.document.utf8), in: request).isEcho
        guard echo.count(where: { $0 }) * 2 > echo.count else { return }
        (said, param, otherParams) = (inner.outer.value.said, nil, [])
        leaveInner()
    }

    /// Reads the reason, the retry delay and the quota from one detail in Google's `google.rpc` format.
    private mutating func read(_ detail: JSONValue) {
        if let word = Self.word(detail["reason"]) { reason = word }
        // The delay is written as `34.4s`.
        let delay = detail["retryDelay"]?.text.map { $0[part: 0..<max(0, min(20, $0.count) - 1)].text }
        if let seconds = delay.flatMap(Double.init), (0...1e9).contains(seconds) {
            retryAfterSeconds = Int(min(86_400, max(1, seconds.rounded(.up))))
        }
        for violation in (detail["violations"]?.elements ?? JSONElements()).prefix(16) where quota.isEmpty {
            quota = Self.word(violation["quotaId"]) ?? ""
        }
    }

    // MARK: Fields

    private static func code(of value: JSONValue) -> String? {
        let values = [
            value["code"], value["error_code"], value["errorCode"], value["Code"], value["details"]?["error_code"],
            value["detail"]?["errorcode"],
        ]
        return values.lazy.compactMap(word).first
    }

    private static func type(of value: JSONValue) -> String? {
        // Amazon writes a namespace before the type.
        word(value["type"]) ?? word(value["error_type"])
            ?? word(value["__type"]).map { String($0.split(separator: "#").last ?? "") }
    }

    private static func fieldName(_ detail: JSONValue) -> JSONValue? {
        detail["loc"]?.elements?.dropFirst().suffix(1).first
    }

    private static func param(_ value: JSONValue?) -> String? {
        // LiteLLM writes an absent name as Python does, one-api as an empty text, Cerebras the kind of the error instead.
        value?.text.flatMap {
            (1...100).contains($0.count) && $0 != "None" && $0 != "validation_error" ? $0.text : nil
        }
    }

    private static func word(_ value: JSONValue?) -> String? {
        if let text = value?.text { return text[part: 0..<min(100, text.count)].text }
        return value?.integer.map { "\($0)" }
    }

    private static func details(_ root: JSONValue) -> JSONValue? {
        root["detail"] ?? root["message"]?["detail"] ?? root["error"]?["message"]?["detail"]
    }

    /// The names of messages in the errors of servers, the most telling ones first.
    private static let names: [StaticString] = [
        "error_description", "message", "error", "msg", "error_msg", "error_message", "errorMessage", "Message",
        "faultstring", "detail", "description", "reason", "errmsg", "errorMsg", "base_resp", "status_msg", "errors",
        "fault",
    ]
    /// The names of objects in which some servers put the error.
    private static let groups: [StaticString] = ["Response", "Error", "status"]

    /// Returns the message of an error: a text, or the first one in an object or a list.
    private static func said(_ value: JSONValue, depth: Int = 0) -> String {
        if let text = value.text { return text[part: 0..<min(4_096, text.count)].text }
        guard depth < 4 else { return "" }
        if let first = value.elements?.first(where: { _ in true }) { return said(first, depth: depth + 1) }
        guard value.kind == .object else { return "" }
        if let error = value["error"], error.kind == .object {
            let inner = said(error, depth: depth + 1)
            if !inner.isEmpty { return inner }
        }
        let inner = groups.compactMap { value[$0] }.filter { $0.kind == .object }
        // .NET has a list of errors under the name of each field.
        let fields = (value["errors"]?.members ?? []).prefix(1).map(\.value)
        let told = names.compactMap { value[$0] } + inner + fields + [value["title"]].compactMap(\.self)
        return told.lazy.map { said($0, depth: depth + 1) }.first { !$0.isEmpty } ?? ""
    }
}
