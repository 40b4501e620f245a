import Engine
import Shared

extension Responder {
    /// Waits for a JSON body and reads it by `read`, after which its bytes are freed.
    func json<Value>(_ read: (JSONValue) throws(APIError) -> Value) async throws(APIError) -> Value {
        guard let request else { throw APIError(400, "There is no request.") }
        try checkMedia(request)
        do throws(RequestError) {
            try await request.body.collect(limitBytes: gateway.settings.maxBodyBytes)
        } catch {
            throw Task.isCancelled ? .clientLeft : APIError(error)
        }
        defer { gateway.parser.trim() }
        let root: JSONValue
        do throws(JSONError) {
            // The parser has its own copy of what it read.
            defer { request.body.release() }
            root = try gateway.parser.parse(request.body.bytes)
        } catch {
            throw APIError(400, "The body is not valid JSON in UTF-8.")
        }
        return try read(root)
    }

    private func checkMedia(_ request: Request) throws(APIError) {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw .media("Content-Encoding is not accepted here; send the body as it is.")
        }
        guard let type = request[.contentType], !type.equalsLowered("application/json") else { return }
        var parts = type.split(separator: UInt8(ascii: ";")).map { UnsafeRawBufferPointer(rebasing: $0).trimmed }
        guard parts.removeFirst().equalsLowered("application/json") else {
            throw .media("Content-Type must be application/json.")
        }
        for part in parts where part.count > 8 && part[part: 0..<8].equalsLowered("charset=") {
            var charset = part[part: 8..<part.count]
            if charset.count > 1, charset.first == 34, charset.last == 34 {
                charset = charset[part: 1..<(charset.count - 1)]
            }
            guard charset.equalsLowered("utf-8") || charset.equalsLowered("utf8") else {
                throw .media("The charset must be UTF-8.")
            }
        }
    }
}

extension Request {
    /// By its Content-Type, whatever parameters that has.
    var isJSON: Bool {
        guard let type = self[.contentType] else { return false }
        let name = type.prefix { $0 != UInt8(ascii: ";") }
        return UnsafeRawBufferPointer(rebasing: name).trimmed.equalsLowered("application/json")
    }
}

extension APIError {
    fileprivate static func media(_ message: String) -> APIError {
        APIError(415, message, code: "unsupported_media_type")
    }
}
