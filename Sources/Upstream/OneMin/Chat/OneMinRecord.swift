import Engine
import Shared

/// The result of a finished call, read from the JSON record that 1min.ai returns.
struct OneMinRecord {
    /// The text that the model generated. It becomes invalid when the parser parses something else.
    let text: UnsafeRawBufferPointer
    /// The usage that the vendor reports; nil if it reports none.
    let usage: Usage?
    /// The credits that the vendor charged; nil if it does not report them.
    let credits: Int?
    /// The reason why the model ended its text.
    let finish: FinishReason

    /// Creates the result from a JSON record. Throws if the call was not successful or has no result.
    /// - Parameter bytes: the complete JSON, which must be in a `ByteBuffer`, as the JSON parser requires.
    init(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(UpstreamError) {
        let record = try Self.checked(bytes, parser)
        let metadata = record["metadata"]
        guard let result = record["aiRecordDetail"]?["resultObject"], let text = Self.text(result),
            case let usage = Self.usage(metadata, hasText: !text.isEmpty), !text.isEmpty || usage != nil
        else { throw Self.withoutResult(record) }
        self.text = text
        self.usage = usage
        credits = Self.credits(metadata)
        finish = FinishReason(vendorWord: metadata?["finishReason"]?.text)
    }

    /// Parses a response's body and returns its member `aiRecord`. Throws if the member is missing or the call failed.
    ///
    /// The returned value is valid until the parser is used again.
    static func checked(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(UpstreamError) -> JSONValue {
        guard let root = try? parser.parse(bytes) else {
            throw UpstreamError(.failed, cause: "the vendor's response is not JSON")
        }
        guard let record = root["aiRecord"] else {
            throw UpstreamError(ofBody: root, parser, cause: "the vendor's response has no record")
        }
        if root["success"]?.flag == false {
            throw UpstreamError(ofBody: root, parser, cause: "the vendor reported no success")
        }
        if let status = record["status"]?.text, !isGood(status) {
            throw UpstreamError(.failed, cause: "the vendor's record says \(status.text.beginning(ofBytes: 20))")
        }
        return record
    }

    /// Whether the status of a record means that the call did not fail.
    private static func isGood(_ status: UnsafeRawBufferPointer) -> Bool {
        status.equals("SUCCESS") || status.equals("COMPLETED") || isRunning(status)
    }

    /// Whether the status of a record means that the vendor is still processing the call.
    private static func isRunning(_ status: UnsafeRawBufferPointer) -> Bool { status.equals("PROCESSING") }

    static func withoutResult(_ record: JSONValue) -> UpstreamError {
        var error = UpstreamError(.failed, cause: "the vendor's record has no result")
        error.credits = credits(record["metadata"])
        // The vendor charges a call that it is still processing, and a retry would be charged again.
        error.recovery = record["status"]?.text.map(isRunning) ?? false ? [] : [.retrySame, .nextCandidate]
        return error
    }

    private static func text(_ result: JSONValue) -> UnsafeRawBufferPointer? {
        if let text = result.text { return text.isEmpty ? nil : text }
        return result.elements?.first { $0.text != nil }?.text
    }

    /// Returns the credits that a call cost, rounded up; nil if the record does not contain them.
    static func credits(_ metadata: JSONValue?) -> Int? {
        guard let number = metadata?["credit"]?.number, (0..<Double(1 << 40)).contains(number) else { return nil }
        return Int(number.rounded(.up))
    }

    /// Returns the usage of a call; nil if the vendor did not report it.
    static func usage(_ metadata: JSONValue?, hasText: Bool) -> Usage? {
        // The vendor writes 0 for tokens that it did not count.
        guard let input = metadata?["inputToken"]?.integer, let output = metadata?["outputToken"]?.integer,
            input > 0, output > 0 || output == 0 && !hasText, input < 1 << 40, output < 1 << 40
        else { return nil }
        return Usage(promptTokens: Int(input), completionTokens: Int(output))
    }
}

extension FinishReason {
    fileprivate init(vendorWord word: UnsafeRawBufferPointer?) {
        switch word.map(FinishWord.init) {
        case .reason(.length)?: self = .length
        case .reason(.contentFilter)?, .reason(.refusal)?: self = .contentFilter
        default: self = .stop
        }
    }
}
