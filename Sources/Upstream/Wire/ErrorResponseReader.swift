import Calls
import Engine
import Shared

/// Reads the error responses of a vendor's API.
struct ErrorResponseReader {
    private let parser: JSONParser
    private let table: VendorErrorTable
    /// Whether the client's request has the fields that an error may name.
    private let namesFields: Bool
    private let obeysRetry: Bool

    /// The largest error body that is parsed, in bytes.
    private static let limitBytes = 262_144

    /// - Parameter obeysRetry: whether the vendor's header that allows or forbids a retry is obeyed.
    init(_ parser: JSONParser, _ table: @escaping VendorErrorTable, namesFields: Bool, obeysRetry: Bool = false) {
        self.obeysRetry = obeysRetry
        self.parser = parser
        self.table = table
        self.namesFields = namesFields
    }

    /// Returns the error of a response with its status and body. HTML pages and binary bodies give no message for the
    /// client.
    ///
    /// - Parameter body: bytes of a `ByteBuffer`.
    func error(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> UpstreamError {
        var vendorError = vendorError(head, body)
        if !namesFields { vendorError.param = nil }
        var error = error(vendorError)
        if head.status >= 400 { error.status = head.status }
        if obeysRetry { obey(head.shouldRetry, &error) }
        return error
    }

    /// Obeys the vendor's header on retries. Only failures of the vendor itself become retryable with the same key.
    private func obey(_ shouldRetry: Bool?, _ error: inout UpstreamError) {
        switch error.kind {
        case .failed, .unavailable, .timedOut:
            if shouldRetry == true { error.recovery.insert(.retrySame) }
        default: break
        }
        if shouldRetry == false { error.recovery.remove(.retrySame) }
    }

    /// Returns the error that is contained in a response with a successful status.
    static func error(in root: JSONValue, _ table: VendorErrorTable) -> UpstreamError {
        var vendorError = VendorError(root, status: 0)
        vendorError.status = vendorError.statusOfCode
        vendorError.param = nil
        return table(vendorError) ?? vendorError.error
    }

    /// Returns the error that an event of a stream contains.
    func error(ofEvent data: UnsafeRawBufferPointer) -> UpstreamError {
        if let root = try? parser.parse(data), root.kind == .object { return Self.error(in: root, table) }
        var vendorError = VendorError(status: 500)
        vendorError.said = data[part: 0..<min(4_096, data.count)].text
        return error(vendorError)
    }

    /// Returns whether the vendor reports the failure by more than its status.
    func isSpecial(_ vendorError: VendorError) -> Bool { table(vendorError) != nil }

    private func error(_ vendorError: VendorError) -> UpstreamError { table(vendorError) ?? vendorError.error }

    func vendorError(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> VendorError {
        var vendorError: VendorError
        if !body.isEmpty, body.count <= Self.limitBytes, let root = try? parser.parse(body) {
            vendorError = VendorError(root, status: head.status)
        } else {
            vendorError = VendorError(status: head.status)
            let said = body[part: 0..<min(4_096, body.count)]
            let isPage = said.first { $0 > 32 } == UInt8(ascii: "<")
            // Control characters show that the body is compressed, not text.
            if !isPage, !said.contains(where: { $0 < 9 || 14...31 ~= $0 }) { vendorError.said = said.text }
        }
        vendorError.retryAfterSeconds = vendorError.retryAfterSeconds ?? head.retryAfterSeconds
        return vendorError
    }
}
