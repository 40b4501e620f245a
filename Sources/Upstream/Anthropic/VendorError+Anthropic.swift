import Engine
import Glibc
import Shared

extension VendorError {
    /// A function that recognises errors of Anthropic that the HTTP status alone does not identify, such as an exceeded
    /// spending limit.
    static let anthropic: VendorErrorTable = { $0.ofAnthropic }

    var ofAnthropic: UpstreamError? {
        if status >= 400, isOfSpending {
            return new(.outOfCredit, seconds: retryAfterSeconds ?? secondsToAccess)
        }
        switch status {
        case 400, 413, 422:
            if isPromptTooLong { return tooLong }
            if words.say("content filtering policy") { return refused("content_filter", param: nil) }
        case 404 where names("not_found_error"): return new(.unknownModel)
        // Status 529: the vendor is overloaded, for all keys.
        case 529: return new(.unavailable, seconds: nil)
        default: break
        }
        return nil
    }

    private var isOfSpending: Bool {
        if names("billing_error") || isOfCredit { return true }
        if words.say("you have reached your specified"), words.say("usage limits") { return true }
        return status == 429 && retryAfterSeconds == nil
            && code.utf8.suffix(Self.spending.utf8.count).elementsEqual(Self.spending.utf8)
    }

    /// The seconds until the time in the error message at which the account regains access, at most 86,400; nil if the
    /// message contains no future time.
    private var secondsToAccess: Int? {
        let text = ByteBuffer(wording)
        var scan = ByteScan(text.bytes)
        guard scan.find("regain access on ") else { return nil }
        // Such as `2026-12-01 at 00:00 UTC`. The time of the day may be absent.
        let reported = text.bytes[part: scan.offset..<min(text.bytes.count, scan.offset + 19)].text
        let times = [reported.suffix(5), "00:00"].lazy.map { "\(reported.prefix(10))T\($0):00Z" }
        guard let access = times.compactMap(DateTime.milliseconds).first else { return nil }
        let seconds = access / 1_000 - time(nil)
        return seconds > 0 ? min(seconds, 86_400) : nil
    }

    private static let spending = "_spend_limit_reached"
}

extension PassedError {
    /// The largest error response that is passed on, in bytes.
    private static let limitBytes = 65_536

    /// Creates the error of an error response; nil if the response is no error in Anthropic's form.
    /// - Parameters:
    ///   - data: the response or the event; must be in a `ByteBuffer`, as the JSON parser requires.
    ///   - status: the status of the error response; nil for an event, whose status follows from the error's type.
    init?(_ data: UnsafeRawBufferPointer, status: Int? = nil, retryAfterSeconds: Int? = nil) {
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard data.count <= Self.limitBytes, let root = try? parser.parse(data), root["type"]?.text == "error",
            let error = root["error"], let type = error["type"]?.text?.text, let said = error["message"]?.string
        else { return nil }
        let vendorError = VendorError(root, status: 0)
        let eventStatus = vendorError.names("api_error") ? 500 : vendorError.statusOfCode
        var texts: [String] = []
        var out = ByteBuffer()
        if Self.collect(root, into: &texts), texts.allSatisfy(Self.isPublic) {
            out.append(RawJSON(data).bytes)
        } else {
            let id = root["request_id"]?.string.flatMap { Self.isRequestID($0) ? $0 : nil }
            texts = [Self.isPublic(type) ? type : "api_error", Self.words(of: said), id ?? ""]
            out.append(#"{"type":"error","error":{"type":"#, json: texts[0])
            out.append(#","message":"#, json: texts[1], "}")
            if let id { out.append("request_id", id) }
            out.append("}")
        }
        out.putOnOneLine()
        let text = texts.joined(separator: "\n")
        self.init(status: status ?? eventStatus, body: Body(out), text: text, retryAfterSeconds: retryAfterSeconds)
    }

    /// Returns a text of the vendor without addresses, keys and account names.
    private static func words(of text: String) -> String {
        isRequestID(text) ? text : UpstreamError.words(of: text, maxBytes: 16_384, maxCharacters: 8_192)
    }

    private static func isRequestID(_ text: String) -> Bool {
        text.utf8.count <= 64 && text.hasPrefix("req_") && text.utf8.allSatisfy { $0.isLetterOrDigit(or: "_-") }
    }

    /// Returns whether nothing of a text is hidden in its words, between which all white space is a single space.
    private static func isPublic(_ text: String) -> Bool {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ") == words(of: text)
    }

    /// Appends the names, strings and whole numbers in a value. Returns false if the value is nested too deeply.
    private static func collect(_ value: JSONValue, into texts: inout [String], depth: Int = 16) -> Bool {
        guard depth > 0 else { return false }
        if let text = value.string ?? value.integer.map({ "\($0)" }) { texts.append(text) }
        let isCollected = (value.elements ?? JSONElements()).allSatisfy { collect($0, into: &texts, depth: depth - 1) }
        return isCollected
            && (value.members ?? []).allSatisfy { member in
                texts.append(member.name.text)
                return collect(member.value, into: &texts, depth: depth - 1)
            }
    }
}
