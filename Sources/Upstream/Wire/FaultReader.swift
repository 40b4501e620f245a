import Calls
import Engine
import Shared

/// Reads the refusals and failures that vendors tell, each in a form of its own.
struct FaultReader {
    private let parser: JSONParser
    private let table: FaultTable
    /// The caller's request has the fields that a refusal may name.
    private let tellsFields: Bool
    private let obeysRetry: Bool

    /// Of a refusal that is read.
    private static let limitBytes = 262_144

    /// - Parameter obeysRetry: the vendor says what may succeed once more.
    init(_ parser: JSONParser, _ table: @escaping FaultTable, tellsFields: Bool, obeysRetry: Bool = false) {
        self.obeysRetry = obeysRetry
        self.parser = parser
        self.table = table
        self.tellsFields = tellsFields
    }

    /// A refusal by status and body, which comes from a `ByteBuffer`. A page of HTML, or bytes that are no text, say nothing to a client.
    func error(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> UpstreamError {
        var fault = fault(head, body)
        if !tellsFields { fault.param = nil }
        var error = error(fault)
        if head.status >= 400 { error.status = head.status }
        if obeysRetry { obey(head.shouldRetry, &error) }
        return error
    }

    /// No other failure than the vendor's own is tried once more with the same key.
    private func obey(_ shouldRetry: Bool?, _ error: inout UpstreamError) {
        switch error.kind {
        case .failed, .unavailable, .timedOut:
            if shouldRetry == true { error.remedy.insert(.again) }
        default: break
        }
        if shouldRetry == false { error.remedy.remove(.again) }
    }

    /// A failure in an answer that began well.
    static func error(in root: JSONValue, _ table: FaultTable) -> UpstreamError {
        var fault = Fault(root, status: 0)
        fault.status = fault.statusOfCode
        fault.param = nil
        return table(fault) ?? fault.error
    }

    /// The same, told by an event.
    func error(ofEvent data: UnsafeRawBufferPointer) -> UpstreamError {
        if let root = try? parser.parse(data), root.kind == .object { return Self.error(in: root, table) }
        var fault = Fault(status: 500)
        fault.said = data[part: 0..<min(4_096, data.count)].text
        return error(fault)
    }

    /// It is told by more than its status.
    func isSpecial(_ fault: Fault) -> Bool { table(fault) != nil }

    private func error(_ fault: Fault) -> UpstreamError { table(fault) ?? fault.error }

    func fault(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> Fault {
        var fault: Fault
        if !body.isEmpty, body.count <= Self.limitBytes, let root = try? parser.parse(body) {
            fault = Fault(root, status: head.status)
        } else {
            fault = Fault(status: head.status)
            let said = body[part: 0..<min(4_096, body.count)]
            let isPage = said.first { $0 > 32 } == UInt8(ascii: "<")
            // A packed body is no text.
            if !isPage, !said.contains(where: { $0 < 9 || 14...31 ~= $0 }) { fault.said = said.text }
        }
        fault.retryAfterSeconds = fault.retryAfterSeconds ?? head.retryAfterSeconds
        return fault
    }
}
