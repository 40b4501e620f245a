import Engine
import Shared
import Upstream

extension Exchange {
    /// Waits for the JSON body of the request, and returns the result of `read`.
    ///
    /// Calls `read` on a worker thread if the body is large.
    /// - Parameter ownLimitBytes: the longest body; nil for the limit in the settings.
    func json<Value: Sendable>(
        limitBytes ownLimitBytes: Int? = nil,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        try await collectBody(ownLimitBytes)
        let bytes = request.body.bytes
        if bytes.count > JSONBody.loopBytes { return try await readOnWorker(request.body.removeBytes(), read) }
        // The parser has its own copy of the body.
        defer { request.body.release() }
        recorder?.keep(request: bytes)
        return try JSONBody.read(bytes, by: gateway.parser, read)
    }

    /// Waits for the JSON body; returns the result of `read` and the raw bytes.
    func jsonAndBody<Value: Sendable>(
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> (Value, Body) {
        let body = try await wholeBody()
        return (try await json(of: body, read), body)
    }

    /// Waits for a JSON body that may be forwarded. Returns the result of `read`, and the body as the client sent it.
    /// - Parameters:
    ///   - canLeaveTools: returns whether the parser can skip simple tool definitions.
    ///   - read: converts the parsed body; its second argument is the number of skipped tool definitions.
    func jsonAndOriginal<Value: Sendable>(
        _ canLeaveTools: (JSONOutline) -> Bool,
        read: @escaping @Sendable (JSONValue, Int) throws(APIError) -> Value
    ) async throws(APIError) -> (Value, OriginalRequest) {
        let body = try await wholeBody()
        if body.bytes.count > JSONBody.loopBytes {
            let (value, names) = try await readOnWorker(body) { (root) throws(APIError) in
                (try read(root, 0), root.names)
            }
            return (value, OriginalRequest(body, names: names))
        }
        recorder?.keep(request: body.bytes)
        return try JSONBody.read(body, by: gateway.parser, canLeaveTools, read)
    }

    /// Waits for the whole body, and decodes it if it is compressed.
    /// - Parameter ownLimitBytes: the maximum body length of the endpoint, if it is lower than that of the settings.
    private func collectBody(_ ownLimitBytes: Int? = nil) async throws(APIError) {
        let (maxBytes, coding) = try checkBeforeBody()
        let limitBytes = min(maxBytes, ownLimitBytes ?? .max)
        do throws(RequestError) {
            if let coding {
                var body = CompressedBody(
                    coding: coding,
                    request: request.body,
                    gateway: gateway,
                    limitBytes: limitBytes
                )
                try await body.decode()
            } else {
                try await request.body.collect(limitBytes: limitBytes)
            }
        } catch {
            throw Task.isCancelled ? .clientLeft : APIError(error, boundBy: "MAX_BODY_MB")
        }
    }

    /// Waits for the whole body, moves it out of the request and returns it.
    private func wholeBody() async throws(APIError) -> Body {
        try await collectBody()
        return request.body.removeBytes()
    }

    /// Returns the result of `read` for a JSON body that has arrived.
    func json<Value: Sendable>(
        of body: Body,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        if body.bytes.count > JSONBody.loopBytes { return try await readOnWorker(body, read) }
        recorder?.keep(request: body.bytes)
        return try JSONBody.read(body.bytes, by: gateway.parser, read)
    }

    /// Checks the request before its body is read. Returns the maximum body length in bytes, and the compression of the
    /// body; nil if it has none.
    private func checkBeforeBody() throws(APIError) -> (limitBytes: Int, coding: ContentCoding?) {
        try checkMedia(request)
        let coding = try contentCoding
        let limitBytes = gateway.settings.maxBodyBytes
        if (request.body.declaredBytes ?? 0) <= limitBytes { try refuseIfKnownToBeOver() }
        return (limitBytes, coding)
    }

    private var contentCoding: ContentCoding? {
        get throws(APIError) {
            guard let value = request[.contentEncoding], !value.equalsLowered("identity") else { return nil }
            guard let coding = ContentCoding(value) else {
                throw .media(
                    "This Content-Encoding is not supported. Use gzip or zstd, or send the body without compression."
                )
            }
            return coding
        }
    }

    @inline(never)  // Rarely called.
    private func readOnWorker<Value: Sendable>(
        _ body: Body,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let (recorder, hold) = (recorder, request.body.largeHold)
        let result = await gateway.reader.result(on: gateway.loop, withinNanoseconds: JSONBody.patienceNanoseconds) {
            // The memory of the body stays reserved as long as a thread reads it.
            withExtendedLifetime((body, hold)) {
                recorder?.keep(largeRequest: body.bytes)
                return Result { () throws(APIError) in try JSONBody.read(body.bytes, by: JSONParser(), read) }
            }
        }
        guard let result else { throw Task.isCancelled ? .clientLeft : APIError(.overloaded) }
        return try result.get()
    }

    private func checkMedia(_ request: Request) throws(APIError) {
        guard let type = request[.contentType], !type.equalsLowered("application/json") else { return }
        // A value of semicolons only has no parts.
        let parts = type.split(separator: UInt8(ascii: ";")).map { UnsafeRawBufferPointer(rebasing: $0).trimmed }
        guard let media = parts.first, media.equalsLowered("application/json") else {
            throw .media("Content-Type must be application/json.")
        }
        for part in parts.dropFirst() where part.count > 8 && part[part: 0..<8].equalsLowered("charset=") {
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
    /// Whether the `Content-Type` is `application/json`, with or without parameters.
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
