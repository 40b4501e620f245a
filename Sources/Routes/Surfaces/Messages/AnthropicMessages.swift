import Engine
import Limits
import Shared
import Upstream

/// The surface of Anthropic's endpoints: it reads their requests and writes errors in their form.
struct AnthropicMessages: ChatSurface {
    func append(_ error: APIError, isMidStream: Bool, to body: inout ByteBuffer) {
        if isMidStream { body.append("event: error\ndata: ") }
        if let vendorBody = error.vendorBody {
            body.append(vendorBody.bytes)
            if isMidStream { body.append("\n\n") }
            return
        }
        let type = "\(Self.type(ofStatus: status(of: error)))"
        // Another relay in front of this one knows by its code that a budget is used up.
        let isOfBudget = error.status == 429 && error.code == "insufficient_quota"
        let hasCode = isOfBudget || error.code?.hasSameBytes(as: APIError.noThreadsCode) ?? false
        let details = error.code.flatMap { code -> JSONFragment? in hasCode ? #"{"error_code":\#(code)}"# : nil }
        body.json(
            #"""
            {"type":"error","error":{"type":\#(type),"message":\#(Self.message(of: error))\#
            \#(member: "details", details)},"request_id":\#(error.requestID)}
            """#
        )
        if isMidStream { body.append("\n\n") }
    }

    /// Returns the message of an error, with the field names of Anthropic's API.
    private static func message(of error: APIError) -> String {
        let message = error.shownMessage
        if error.isOfContextLength { return tooLong(message) }
        guard let param = error.param, let name = Self.name(of: param) else { return message }
        let opening = "Invalid value for '"
        guard message.utf8.starts(with: "\(opening)\(param)'".utf8) else { return message }
        return "\(opening)\(name)\(Substring(message.utf8.dropFirst(opening.utf8.count + param.utf8.count)))"
    }

    /// Returns the message of an error for a prompt that is too long. The message begins with Anthropic's own words.
    private static func tooLong(_ message: String) -> String {
        // Agents shorten the conversation only if the message begins so. The vendor may have said it already.
        let rest: String? = message.withBytes { text in
            var scan = ByteScan(text)
            return scan.find("rompt is too long") ? text[part: scan.offset..<text.count].text : nil
        }
        return "prompt is too long\(rest ?? ": \(message)")"
    }

    /// Returns Anthropic's name for a field of OpenAI's API; nil if the names are equal.
    private static func name(of param: String) -> String? {
        let ending = "function.parameters"
        if param.isSame(as: "response_format.json_schema.schema") { return "output_config.format.schema" }
        guard param.utf8.reversed().starts(with: ending.utf8.reversed()) else { return nil }
        return "\(Substring(param.utf8.dropLast(ending.utf8.count)))input_schema"
    }

    func status(of error: APIError) -> Int {
        error.vendorBody == nil && error.status == 503 ? 529 : error.status
    }

    private static func type(ofStatus status: Int) -> StaticString {
        switch status {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 529: "overloaded_error"
        case ..<500: "invalid_request_error"
        default: "api_error"
        }
    }

    /// Appends Anthropic's response header lines, such as the request id and the rate limits.
    func appendFields(_ requestID: String, of exchange: Exchange?, to fields: inout ByteBuffer) {
        if let vendor = exchange?.vendorFields, !vendor.isEmpty {
            for field in vendor { fields.append("\(field.name): \(field.value)\r\n" as String) }
            let names = vendor.map(\.name).joined(separator: ", ")
            return fields.append("Access-Control-Expose-Headers: ", names, "\r\n")
        }
        fields.append("Request-Id: ", requestID, "\r\nAccess-Control-Expose-Headers: request-id")
        if let standing = exchange?.standing {
            for kind: StaticString in ["requests", "tokens"] {
                for part: StaticString in ["limit", "remaining", "reset"] {
                    fields.append(", anthropic-ratelimit-", kind, "-")
                    fields.append(part)
                }
            }
            fields.append("\r\n")
            if let requests = standing.requests { append(requests, "requests", to: &fields) }
            if let tokens = standing.tokens { append(tokens, "tokens", to: &fields) }
        } else {
            fields.append("\r\n")
        }
    }

    private func append(_ standing: LimitStanding, _ kind: StaticString, to fields: inout ByteBuffer) {
        fields.append("anthropic-ratelimit-", kind, "-limit: ")
        fields.append("", decimal: standing.limit.quota.count, "\r\n")
        fields.append("anthropic-ratelimit-", kind, "-remaining: ")
        fields.append("", decimal: standing.remaining, "\r\n")
        fields.append("anthropic-ratelimit-", kind, "-reset: ")
        let milliseconds = Timestamp.now() + max(0, standing.resetMicroseconds) / 1_000
        fields.append("", Timestamp.text(second: milliseconds / 1_000 + 1), "\r\n")
    }

    var wire: Wire? { .messages }

    func read(_ root: JSONValue, defaultModel: String?, _ reading: ToolReading) throws(APIError) -> ChatRequest {
        let call = try ChatCall(
            message: root,
            defaultModel: defaultModel,
            MessageReading(toleratesUnknown: reading.toleratesUnknown)
        )
        return ChatRequest(call, MessageFormatter())
    }
}
