import Calls
import Engine
import Shared

/// Reads the refusals and failures that servers of OpenAI's form tell, each in a form of its own.
struct FaultReader {
    private let parser: JSONParser
    /// The caller's request has the fields that a refusal may name.
    private let tellsFields: Bool

    /// Of a refusal that is read.
    private static let limitBytes = 262_144

    init(_ parser: JSONParser, tellsFields: Bool) {
        self.parser = parser
        self.tellsFields = tellsFields
    }

    /// A refusal by status and body, which comes from a `ByteBuffer`. A page of HTML says nothing to a client.
    func error(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> UpstreamError {
        var fault = fault(head, body)
        if !tellsFields { fault.param = nil }
        return fault.error
    }

    func fault(_ head: UpstreamHead, _ body: UnsafeRawBufferPointer) -> Fault {
        var fault: Fault
        if !body.isEmpty, body.count <= Self.limitBytes, let root = try? parser.parse(body) {
            fault = Fault(root, status: head.status)
        } else {
            fault = Fault(status: head.status)
            let isPage = body.first { $0 > 32 } == UInt8(ascii: "<")
            if !isPage { fault.said = body[part: 0..<min(4_096, body.count)].text }
        }
        fault.retryAfterSeconds = head.retryAfterSeconds
        return fault
    }

    /// A failure in an answer that began well.
    static func failure(in root: JSONValue) -> UpstreamError {
        var fault = Fault(root, status: 0)
        fault.status = fault.statusOfCode
        fault.param = nil
        return fault.error
    }

    static func failure(ofEvent data: UnsafeRawBufferPointer, _ parser: JSONParser) -> UpstreamError {
        if let root = try? parser.parse(data), root.kind == .object { return failure(in: root) }
        var fault = Fault(status: 500)
        fault.said = data[part: 0..<min(4_096, data.count)].text
        return fault.error
    }
}
