import Engine
import Shared

/// Converts the error responses of a vendor's API to `UpstreamError`.
struct ErrorResponseReader {
    private let parser: JSONParser
    /// Recognises errors that the vendor reports in its own way.
    private let table: VendorErrorTable
    /// Whether field names in the vendor's errors are also field names of the client's request.
    private let namesFields: Bool
    /// Whether to obey the vendor's header that allows or forbids a retry.
    var obeysRetry = false
    /// Whether the client has Anthropic's API, so that it may get Anthropic's error responses.
    var passesErrors = false
    /// Reads errors in a form of the vendor's own, from which no quirks are learned; nil for the usual form.
    var own: ((UpstreamHead, UnsafeRawBufferPointer) -> UpstreamError)?

    /// The largest error body that is parsed, in bytes.
    private static let limitBytes = 262_144

    init(_ parser: JSONParser, _ table: @escaping VendorErrorTable, namesFields: Bool) {
        self.parser = parser
        self.table = table
        self.namesFields = namesFields
    }

    /// Returns the error for an error response. HTML and binary bodies are not shown to the client.
    /// - Parameters:
    ///   - body: must be in a `ByteBuffer`, as the JSON parser requires.
    ///   - request: the refused request, whose words in the error are not the vendor's; nil if it is not known.
    func error(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer, to request: RefusedRequest?) -> UpstreamError {
        if let own { return own(head, body).naming(head.sentStatus) }
        return error(vendorError(head, body), head, body, request)
    }

    private func error(
        _ vendorError: VendorError,
        _ head: UpstreamHead,
        _ body: UnsafeRawBufferPointer,
        _ request: RefusedRequest?
    ) -> UpstreamError {
        var vendorError = vendorError
        if !namesFields { vendorError.param = nil }
        var error = vendorError.meaning(table, request)
        if head.status >= 400 { error.status = head.status }
        if obeysRetry { obey(head.shouldRetry, &error) }
        if passesErrors {
            error.passed = PassedError(body, status: head.status, retryAfterSeconds: head.retryAfterSeconds)
        }
        return error.naming(head.sentStatus)
    }

    /// Adds or removes the recovery option `retrySame`, as the vendor's response header demands. Adds the option only
    /// if the vendor failed, not if it refused the request.
    /// - Parameter shouldRetry: whether the header allows a retry; nil if there is no such header.
    private func obey(_ shouldRetry: Bool?, _ error: inout UpstreamError) {
        if shouldRetry == false { error.recovery.remove(.retrySame) }
        if shouldRetry == true, [.failed, .unavailable, .timedOut].contains(error.kind) {
            error.recovery.insert(.retrySame)
        }
    }

    /// Returns the error that a response contains although its HTTP status is successful.
    /// - Parameter namesFields: as for the initializer.
    static func error(
        in root: JSONValue,
        _ table: @escaping VendorErrorTable,
        namesFields: Bool = false
    ) -> UpstreamError {
        var vendorError = VendorError(root, status: 0)
        vendorError.status = vendorError.statusOfCode
        // A server may report a full context, or a field that it does not support, without a code.
        if vendorError.status == 502, vendorError.isPromptTooLong || vendorError.isOfUnsupportedField {
            vendorError.status = 400
        }
        let reported = vendorError
        if !namesFields { vendorError.param = nil }
        var error = vendorError.meaning(table)
        error.reported = reported
        return error
    }

    func error(in root: JSONValue) -> UpstreamError { Self.error(in: root, table, namesFields: namesFields) }

    /// Returns the error that a response without output reports in any form; an error with the cause if it reports none.
    func error(ofUnanswered root: JSONValue, _ cause: String) -> UpstreamError {
        guard root.containsError || VendorError(root, status: 0).isFailure else { return .invalidResponse(cause) }
        return error(in: root)
    }

    /// Throws the error that an event of no known form is, if it has the member `error`, or a code and words of failure.
    @inline(never)  // Rarely called.
    func check(unknown root: JSONValue) throws(UpstreamError) {
        let found = VendorError(root, status: 0)
        let isFailure = found.isFailure && !found.code.isEmpty && !found.said.isEmpty
        if isFailure || root.containsError { throw error(in: root) }
    }

    func error(ofEvent data: UnsafeRawBufferPointer) -> UpstreamError {
        if let root = try? parser.parse(data), root.kind == .object {
            var error = error(in: root)
            if passesErrors { error.passed = PassedError(data) }
            return error
        }
        var vendorError = VendorError(status: 500)
        vendorError.read(plain: data)
        var error = vendorError.meaning(table)
        error.reported = vendorError
        return error
    }

    /// Returns the refusal that an error response contains; nil for an error in a form of the vendor's own.
    /// - Parameters:
    ///   - body: must be in a `ByteBuffer`, as the JSON parser requires.
    ///   - request: the refused request, which has a body.
    ///   - known: the quirks for which the refused request was already changed.
    func refusal(
        _ head: UpstreamHead,
        _ body: UnsafeRawBufferPointer,
        of request: RefusedRequest,
        known: Set<Quirk>
    ) -> Refusal? {
        let vendorError = vendorError(head, body)
        return own != nil
            ? nil : refusal(vendorError, error(vendorError, head, body, request), of: request, known: known)
    }

    /// Returns the refusal that is an error within a response whose own status is a success; nil for other errors.
    func refusal(_ error: UpstreamError, of request: RefusedRequest, known: Set<Quirk>) -> Refusal? {
        guard own == nil, var vendorError = error.reported as? VendorError else { return nil }
        // Servers report an error of a chat template without a code.
        if vendorError.status == 502 { vendorError.status = 500 }
        return refusal(vendorError, error, of: request, known: known)
    }

    private func refusal(
        _ vendorError: VendorError,
        _ error: UpstreamError,
        of request: RefusedRequest,
        known: Set<Quirk>
    ) -> Refusal? {
        guard let sent = request.body else { return nil }
        var trusted = vendorError
        trusted.distrustEcho(of: sent.bytes)
        return Refusal(
            vendorError: trusted,
            isSpecial: table(trusted) != nil,
            error: error,
            request: sent,
            known: known
        )
    }

    private func vendorError(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> VendorError {
        let decoded = head.isCoded ? Self.decoded(body) : nil
        defer { withExtendedLifetime(decoded) {} }
        let body = decoded?.bytes ?? body
        var vendorError: VendorError
        if !body.isEmpty, body.count <= Self.limitBytes, let root = try? parser.parse(body) {
            vendorError = VendorError(root, status: head.status)
        } else {
            vendorError = VendorError(status: head.status)
            vendorError.read(plain: body)
        }
        vendorError.wait(head.retryAfterSeconds)
        return vendorError
    }

    /// Returns the beginning of an error body that is compressed with gzip; nil if it is compressed in another way.
    @inline(never)  // Rarely called.
    private static func decoded(_ body: UnsafeRawBufferPointer) -> Body? {
        guard body.count <= limitBytes,
            let decoder = try? BodyDecoder(.gzip, Body(copying: body), nil),
            (try? decoder.decode(atMost: decodedBytes)) != nil
        else { return nil }
        return Body(decoder.removeOutput())
    }

    private static let decodedBytes = 65_536
}

extension VendorError {
    /// Reads a body that is no JSON. JSON that is cut or invalid is read for its meaning, but not shown.
    fileprivate mutating func read(plain body: UnsafeRawBufferPointer) {
        let said = body[part: 0..<min(4_096, body.count)]
        let opening = said[part: (said.firstIndex { $0 > 32 } ?? said.count)..<said.count]
        // Control characters show that the body is compressed, not text.
        if opening.hasPrefix("<") || said.contains(where: { $0 < 9 || 14...31 ~= $0 }) { return }
        if opening.hasPrefix("{") || opening.hasPrefix("[{") { heard = said.text } else { self.said = said.text }
    }

    /// Returns the meaning of the error. Words that the message repeats of the caller's request mean nothing for other
    /// requests.
    /// - Parameter request: the request; nil if it is not known here. Then the error is read again if the words matter.
    func meaning(_ table: @escaping VendorErrorTable, _ request: RefusedRequest? = nil) -> UpstreamError {
        func read(_ vendorError: VendorError) -> UpstreamError { table(vendorError) ?? vendorError.error }
        let error = read(self)
        var plain = read(withoutWords)
        // The request is compared only if the words keep further requests from the vendor.
        if error.harm <= plain.harm { return error }
        guard let request else {
            plain.readAgain = { meaning(table, $0) }
            return plain
        }
        var other = self
        if let sent = request.body { other.distrustEcho(of: sent.bytes) }
        other.heard = OwnWords(other.wording, without: request).text
        let own = read(other)
        return own.harm < error.harm ? own : error
    }
}

extension UpstreamError {
    /// The harm of the failure for further requests. Waits of up to a minute are not compared.
    fileprivate var harm: (Int, Int) {
        let scope =
            switch kind {
            case .badRequest, .cancelled: 0
            case .unknownModel, .failed, .unavailable, .timedOut: 1
            case .forbidden where self.isOfModel: 1
            case .rateLimited: 2
            case .badKey, .forbidden, .outOfCredit: 3
            }
        return (scope, max(60, self.retryAfterSeconds ?? 0) + (self.modelCooldownSeconds ?? 0))
    }

    /// Returns the error with the meaning of the vendor's own words, without those that the request has.
    func reread(beside request: @autoclosure () -> RefusedRequest?) -> UpstreamError {
        guard let readAgain = self.readAgain, let request = request() else { return self }
        var error = readAgain(request)
        (error.status, error.passed, error.credential) = (self.status, self.passed, self.credential)
        (error.usage, error.credits, error.partial) = (self.usage, self.credits, self.partial)
        (error.lack, error.isCut) = (self.lack, self.isCut)
        return error
    }

    /// Returns the error with a cause that names the status which the vendor sent, if HTTP does not have it.
    fileprivate func naming(_ sentStatus: Int) -> UpstreamError {
        if 200...599 ~= sentStatus { return self }
        var error = self
        error.cause = "the vendor answered \(sentStatus), a status that HTTP does not have"
        return error
    }
}
