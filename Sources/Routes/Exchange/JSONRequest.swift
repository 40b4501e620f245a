import Engine
import Shared

extension Exchange {
    /// Waits for a JSON body and has it read by `read`: on this loop, or on a thread if the body is large.
    ///
    /// - Parameter limitBytes: the longest body; nil for the limit of the settings.
    func json<Value: Sendable>(
        limitBytes ownLimitBytes: Int? = nil,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        if let body = jsonAhead {
            jsonAhead = nil
            return try await readAgain(body, read)
        }
        let limitBytes = min(try checkBeforeBody(), ownLimitBytes ?? .max)
        do throws(RequestError) {
            try await request.body.collect(limitBytes: limitBytes)
        } catch {
            throw Task.isCancelled ? .clientLeft : APIError(error, boundBy: "MAX_BODY_MB")
        }
        let bytes = request.body.bytes
        if bytes.count > JSONBody.loopBytes { return try await readOnWorker(request.body.removeBytes(), read) }
        // The parser has its own copy of the body.
        defer { request.body.release() }
        recorder?.keep(request: bytes)
        return try JSONBody.read(bytes, by: gateway.parser, read)
    }

    /// Reads a JSON body, and also returns its raw bytes.
    func jsonAndBody<Value: Sendable>(
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> (Value, Body) {
        let limitBytes = try checkBeforeBody()
        do throws(RequestError) {
            try await request.body.collect(limitBytes: limitBytes)
        } catch {
            throw Task.isCancelled ? .clientLeft : APIError(error, boundBy: "MAX_BODY_MB")
        }
        let body = request.body.removeBytes()
        if body.bytes.count > JSONBody.loopBytes { return (try await readOnWorker(body, read), body) }
        recorder?.keep(request: body.bytes)
        return (try JSONBody.read(body.bytes, by: gateway.parser, read), body)
    }

    @inline(never)
    private func readAgain<Value: Sendable>(
        _ body: Body,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        if body.bytes.count > JSONBody.loopBytes { return try await readOnWorker(body, read) }
        return try JSONBody.read(body.bytes, by: gateway.parser, read)
    }

    /// Checks the request before its body is read. Returns the longest body in bytes.
    @inline(never)
    private func checkBeforeBody() throws(APIError) -> Int {
        try checkMedia(request)
        let limitBytes = gateway.settings.maxBodyBytes
        if (request.body.declaredBytes ?? 0) <= limitBytes { try refuseIfKnownToBeOver() }
        return limitBytes
    }

    @inline(never)
    private func readOnWorker<Value: Sendable>(
        _ bytes: Body,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let body = LargeJSON(bytes, request.body.largeHold)
        let recorder = recorder
        let result = await gateway.reader.result(on: gateway.loop, withinNanoseconds: JSONBody.patienceNanoseconds) {
            if let recorder { body.read { recorder.keep(request: $0) } }
            return body.read(read)
        }
        guard let result else { throw Task.isCancelled ? .clientLeft : APIError(.overloaded) }
        return try result.get()
    }

    @inline(never)
    private func checkMedia(_ request: Request) throws(APIError) {
        if let coding = request[.contentEncoding], !coding.equalsLowered("identity") {
            throw .media("Content-Encoding is not supported. Send the body without compression.")
        }
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

/// Reads JSON bodies: counts their values, parses them and lets the endpoint read them.
enum JSONBody {
    /// The largest body that is read on the loop, in bytes. A thread reads larger ones, so that the loop can serve
    /// other requests.
    static let loopBytes = 262_144
    /// The longest wait for bodies that came before, in nanoseconds.
    static let patienceNanoseconds: UInt64 = 30_000_000_000
    static let bound = JSONShape.Bound(values: 100_000, elements: 10_000, depth: 1_024)

    static func read<Value>(
        _ bytes: UnsafeRawBufferPointer,
        by parser: JSONParser,
        _ read: (JSONValue) throws(APIError) -> Value
    ) throws(APIError) -> Value {
        if bytes.count >= JSONShape.harmlessBytes, !JSONShape.isHarmless(bytes, bound) {
            try check(JSONShape(bytes, upTo: bound))
        }
        defer { parser.trim() }
        let root: JSONValue
        do throws(JSONError) {
            root = try parser.parse(bytes)
        } catch {
            if error.isTooDeep { throw tooDeep }
            throw error.isOutOfMemory ? APIError(.overloaded) : notJSON(bytes)
        }
        return try read(root)
    }

    /// Returns the error for a body that is not JSON, with the position and what is expected there.
    @inline(never)
    private static func notJSON(_ bytes: UnsafeRawBufferPointer) -> APIError {
        guard bytes.contains(where: { $0 > 32 }) else {
            return APIError(400, "The body is empty. Send a JSON object.")
        }
        guard let mistake = JSONMistake(in: bytes) else {
            return APIError(400, "The body is not valid JSON in UTF-8.")
        }
        let position = mistake.position < bytes.count ? "byte \(mistake.position + 1)" : "its end (byte \(bytes.count))"
        return APIError(400, "The body is not valid JSON: at \(position), \(mistake.expected) is expected.")
    }

    private static func check(_ shape: JSONShape) throws(APIError) {
        if shape.maxElements > bound.elements {
            let name = shape.maxElementsName
            throw APIError(
                400,
                "Invalid '\(name)': array too long. Expected at most \(bound.elements) elements.",
                code: "array_above_max_length",
                param: name
            )
        }
        if shape.values > bound.values {
            throw APIError(
                400,
                "The body has too many values: expected at most \(bound.values) elements and members.",
                code: "too_many_values"
            )
        }
        if shape.depth > bound.depth { throw tooDeep }
    }

    private static var tooDeep: APIError {
        APIError(
            400,
            "The body is nested too deeply: expected at most \(bound.depth) levels.",
            code: "nested_too_deeply"
        )
    }
}

/// A body that is read on another thread, with its reserved memory, because the request may end before.
///
/// `@unchecked`: all properties are immutable.
private final class LargeJSON: @unchecked Sendable {
    private let body: Body
    private let reservation: MemoryReservation?

    init(_ body: Body, _ reservation: MemoryReservation?) {
        self.body = body
        self.reservation = reservation
    }

    func read(_ work: (UnsafeRawBufferPointer) -> Void) { work(body.bytes) }

    func read<Value>(_ read: (JSONValue) throws(APIError) -> Value) -> Result<Value, APIError> {
        do throws(APIError) {
            return .success(try JSONBody.read(body.bytes, by: JSONParser(), read))
        } catch {
            return .failure(error)
        }
    }
}

extension Request {
    /// Whether the `Content-Type` is JSON, with any parameters.
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
