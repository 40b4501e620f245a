import Engine
import Shared

extension UpstreamError {
    /// Creates the error for an error response of 1min.ai. Hides HTML and incomplete JSON from the client.
    /// - Parameter body: must be in a `ByteBuffer`, as the JSON parser requires.
    init(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer, parser: JSONParser, of fields: OneMinFields) {
        if let root = try? parser.parse(body) {
            self.init(OneMinFailure(root, status: head.status, parser), of: fields)
        } else {
            let isPage = body.first { $0 > 32 } == UInt8(ascii: "<")
            let text = isPage || OneMinFailure.isJSON(body) ? "" : body[part: 0..<min(4_096, body.count)].text
            self.init(OneMinFailure(text: text, status: head.status), of: fields)
        }
        self.status = head.status
        self.retryAfterSeconds = head.retryAfterSeconds ?? self.retryAfterSeconds
        if self.modelCooldownSeconds != nil, let seconds = self.retryAfterSeconds {
            self.modelCooldownSeconds = seconds
        }
    }

    /// Creates the error for a response with a successful HTTP status whose body reports a failure or has no result.
    /// - Parameter cause: the cause for the log; used if the body contains no error.
    init(ofBody root: JSONValue, _ parser: JSONParser, cause: String) {
        let failure = OneMinFailure(root, status: nil, parser)
        if failure.isReported { self.init(failure, of: .chat) } else { self.init(.failed, cause: cause) }
    }

    /// Creates the error for an `error` event in a stream of 1min.ai.
    init(ofEvent data: UnsafeRawBufferPointer, _ parser: JSONParser, of fields: OneMinFields) {
        if let root = try? parser.parse(data), root.kind == .object {
            self.init(OneMinFailure(root, status: nil, parser), of: fields)
        } else {
            let text = OneMinFailure.isJSON(data) ? "" : data[part: 0..<min(4_096, data.count)].text
            self.init(OneMinFailure(text: text, status: 500), of: fields)
        }
    }

    private init(_ failure: OneMinFailure, of fields: OneMinFields) {
        typealias Code = OneMinFailure.Code
        if failure.code == Code.external, failure.status == 400 {
            self.init(external: failure, of: fields)
            return
        }
        let text = failure.code + " " + failure.said
        let cause = failure.cause
        switch failure.status {
        case 401: self.init(.badKey, cause: cause)
        case 402, 406: self.init(.outOfCredit, cause: cause)
        case 403:
            self.init(.forbidden, cause: cause)
            if text.contains("model") || text.contains("Model") {
                self.isOfModel = true
                self.recovery = .nextCandidate
            }
        case 404, 410:
            self.init(.failed, cause: cause)
            self.recovery.insert(.reuploadFiles)
        case 408: self.init(.timedOut, cause: cause)
        case 409, 425:
            self.init(.failed, cause: cause)
            self.recovery.insert(.retrySame)
        case 429: self.init(.rateLimited, cause: cause)
        case 503: self.init(.unavailable, cause: cause)
        // A message may repeat the request, but does not begin with it.
        case _ where failure.begins(with: "INSUFFICIENT_CREDITS"): self.init(.outOfCredit, cause: cause)
        case 400 where failure.code == Code.unsupportedModel || failure.begins(with: "Invalid model"):
            self.init(.unknownModel, cause: cause)
            self.isOfModel = failure.code == Code.unsupportedModel
        case 400 where text.contains("OPEN_AI_UNEXPECTED_ERROR") && !Self.namesValue(text):
            self.init(.failed, cause: cause)
            self.recovery.insert(.retrySame)
        case 400, 413, 415, 422,
            400..<500 where failure.code == Code.refusedFile:
            self.init(.badRequest, message: Self.cleaned(failure.said), cause: cause)
            self.recovery.insert(.reuploadFiles)
            describe(failure, fields)
        default: self.init(.failed, cause: cause)
        }
    }

    /// Creates the error for a failure of the provider behind 1min.ai that runs the model.
    private init(external failure: OneMinFailure, of fields: OneMinFields) {
        let status = failure.externalStatus
        let cause = failure.cause + (status.map { ", its model's provider \($0)" } ?? "")
        switch status {
        case 400, 413, 415, 422:
            self.init(.badRequest, message: Self.cleaned(failure.externalSaid ?? ""), cause: cause)
            describe(failure, fields)
        case nil where !failure.fields.isEmpty:
            self.init(.badRequest, cause: cause)
            describe(failure, fields)
        case 429:
            // This is the limit of the vendor's account at the provider, whichever of our keys is used.
            self.init(.rateLimited, cause: cause)
            self.isOfModel = true
            self.recovery = .nextCandidate
            self.retryAfterSeconds = failure.externalRetrySeconds
            self.modelCooldownSeconds = failure.externalRetrySeconds ?? Self.usualModelCooldownSeconds
        case 503:
            self.init(.unavailable, cause: cause)
            self.recovery.insert(.retrySame)
        default:
            self.init(.failed, cause: cause)
            self.recovery.insert(.retrySame)
        }
    }

    private static let usualModelCooldownSeconds = 10

    /// Sets `param` and the message from the first refused field, and records which fields are missing.
    private mutating func describe(_ failure: OneMinFailure, _ fields: OneMinFields) {
        if failure.code == OneMinFailure.Code.missingFields {
            self.missingFields = failure.fields.map(\.name)
            self.recovery.remove(.reuploadFiles)
        }
        // The model's provider may say it in its own words, which 1min.ai passes on.
        if PhraseMatcher("\(failure.said) \(failure.externalSaid ?? "")").saysPromptTooLong {
            self.code = APIError.contextLengthCode
            self.param = "messages"
        }
        guard let first = failure.fields.first else { return }
        self.param = fields.param(first.name)
        let said = Self.cleaned(first.said)
        if !said.isEmpty { self.message = said }
    }

    private static func namesValue(_ text: String) -> Bool {
        text.contains("Invalid value") || text.contains("Supported values are")
    }

    /// Returns the vendor's message without long identifiers; empty if the message is JSON or names a team.
    static func cleaned(_ text: String) -> String {
        let line = text.withBytes { text in
            OneMinFailure.isJSON(text) ? "" : words(of: replacingIdentifiers(text), hiding: "1min.ai")
        }
        return line.contains(" team ") || line.contains("team only") ? "" : line
    }

    /// Replaces long identifiers by "…". Must run before the text is shortened.
    private static func replacingIdentifiers(_ text: UnsafeRawBufferPointer) -> String {
        var out = ByteBuffer()
        var start = 0
        for index in 0...text.count {
            if index < text.count, text[index].isLetterOrDigit { continue }
            if index - start > identifierBytes { out.append("…") } else { out.append(text[part: start..<index]) }
            if index < text.count { out.append(text[index]) }
            start = index + 1
        }
        return out.text
    }

    private static let identifierBytes = 30
}

extension OneMinFailure {
    /// Returns whether the error code or the message begins with the words.
    fileprivate func begins(with words: String) -> Bool {
        [code, said].contains { $0.utf8.starts(with: words.utf8) }
    }

    /// The cause for the log: the HTTP status, and an error code of only capital letters and underscores.
    fileprivate var cause: String {
        let isCode = code.utf8.count <= 60 && code.utf8.allSatisfy { (65...90).contains($0) || $0 == 95 }
        return "the vendor answered \(status)\(isCode && !code.isEmpty ? " \(code)" : "")"
    }
}
