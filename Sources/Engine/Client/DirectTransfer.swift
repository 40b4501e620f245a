import CCurl

/// A call to a vendor with the relay's own HTTP/1.1 code, on a connection that libcurl opens.
final class DirectTransfer: UpstreamTransfer, TurnEnd, @unchecked Sendable {
    private let origin: OriginConnections
    private let form: DirectRequestTemplate
    private var connection: UpstreamConnection?
    /// The bytes of the request: its head, and its body if the body is small.
    private var request = ByteBuffer()
    /// The body of the upstream request; nil if there is none or `request` already contains the body.
    private var body: Body?
    private var sentBytes = 0
    private var response = ResponseDecoder()
    private var sendingFailure: CURLcode?
    /// Whether an earlier call already used the connection.
    private var isKept = false
    private var isKeepAlive = false
    /// Whether any byte of the response has arrived.
    private var isAnswered = false
    /// Whether the vendor has ended a kept connection with the status 408 (Request Timeout), which answers no request.
    private var isIdleTimeout = false
    private var media = ""
    private let keptFields: [StaticString]
    /// The largest request body that is copied into `request`, in bytes.
    private static let joinedBytes = 16_384

    init(
        _ call: borrowing UpstreamCall,
        _ form: borrowing DirectRequestTemplate,
        pool: ConnectionPool,
        isStreamed: Bool
    ) {
        origin = pool.connections(for: form, isStreamed: isStreamed)
        self.form = copy form
        keptFields = call.headers.keptFields
        super.init(client: pool.client, isStreamed: isStreamed)
        compose(call)
        start(at: call.endpoint, by: call.deadline)
    }

    private func compose(_ call: borrowing UpstreamCall) {
        let count = call.body?.bytes.count ?? 0
        let isJoined = count <= Self.joinedBytes
        _ = request.reserve(form.head.count + call.headers.lines.count + 128 + (isJoined ? count : 0))
        request.append(call.isDeletion ? "DELETE" : call.body == nil ? "GET" : "POST")
        form.head.withUnsafeBytes { request.append($0) }
        call.headers.lines.withUnsafeBytes { request.append($0) }
        guard let body = call.body else { return request.append("\r\n") }
        if !call.headers.hasContentType { request.append("Content-Type: application/x-www-form-urlencoded\r\n") }
        request.append("Content-Length: ", decimal: count, "\r\n\r\n")
        if isJoined { request.append(body.bytes) } else { self.body = body }
    }

    /// Starts the call. Call it only once. Returns false if memory is short.
    func begin() -> Bool {
        if let kept = origin.removeIdle() {
            kept.user = self
            connection = kept
            isKept = true
            restartTimeLimit()
            send()
            return true
        }
        return connect()
    }

    private func connect() -> Bool {
        guard let endpoint, let new = UpstreamConnection(to: endpoint, form, for: self, origin) else { return false }
        connection = new
        restartTimeLimit()
        return true
    }

    /// Called when the connection has been opened, or could not be opened.
    /// - Parameter failure: what is known about the failure; nil if the connection was opened.
    func connected(_ code: CURLcode, _ failure: ConnectFailure?) {
        connectFailure = failure
        if code == CURLE_OK { send() } else { brokeOff(code) }
    }

    override var hasSeparateTotal: Bool { false }
    override var mediaType: String { media }

    override func arm(at deadline: LoopTime) { connection?.arm(at: deadline) }
    override func disarm() { connection?.disarm() }

    override func abort() {
        connection?.close()
        connection = nil
        finish(CURLE_ABORTED_BY_CALLBACK)
    }

    override func clear() {
        request.release()
        body = nil
        response = ResponseDecoder()
        super.clear()
    }

    // MARK: The request

    private var isSent: Bool { sentBytes == request.count + (body?.bytes.count ?? 0) }

    /// Called when the connection can send again, after it has accepted only a part of the bytes.
    func canWrite() { send() }

    private func send() {
        while let connection, sendingFailure == nil, !isSent {
            let isHead = sentBytes < request.count
            let whole = isHead ? request.bytes : body?.bytes ?? request.bytes
            let rest = whole[part: (isHead ? sentBytes : sentBytes - request.count)..<whole.count]
            switch connection.write(rest) {
            case .success(let count):
                sentBytes += count
                if count < rest.count { return }
            case .failure(let failure):
                // The vendor may have responded before it ended the connection.
                sendingFailure = failure.code
                // The call may continue on a new connection, which is not open yet.
                return canRead()
            }
        }
    }

    /// Frees the memory of the request after the request was sent and the response has begun.
    private func dropRequest() {
        // A stream could hold this memory for an hour.
        guard isSent else { return }
        sentBytes = 0
        request.release()
        body = nil
    }

    // MARK: The response

    /// Called when data has arrived, or when the vendor has ended the connection.
    func canRead() {
        let room = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<origin.readBytes])
        while let connection, failure == nil, !isPaused {
            switch connection.read(into: room) {
            case .nothing:
                if let sendingFailure { brokeOff(sendingFailure) }
                return
            case .bytes(let count):
                isAnswered = true
                do throws(MalformedResponse) {
                    try receive(UnsafeRawBufferPointer(rebasing: room[..<count]))
                } catch {
                    return brokeOff(CURLE_WEIRD_SERVER_REPLY)
                }
                if isIdleTimeout { return brokeOff(CURLE_GOT_NOTHING) }
                if count < room.count, sendingFailure == nil, !connection.mayReadMore { return }
            case .end: return hasEnded()
            case .broken(let code): return brokeOff(code)
            }
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) {
        let before = received.count
        guard hasRoom(for: bytes.count) else { return refuse() }
        try response.consume(bytes, into: &received) { begin($0, $1) }
        if isIdleTimeout { return }
        guard isWithinLimit() else { return refuse() }
        if isUnwanted { received.removeAll() } else if received.count > before { hasReceived() }
        if response.isDone { return complete() }
        if isStreamed, received.count >= Self.streamLimitBytes {
            isPaused = true
            connection?.reads(false)
        }
    }

    /// Stops reading from the vendor, because the call has failed.
    private func refuse() {
        // The task that waits for the response ends the call.
        connection?.reads(false)
        waiter.wake()
    }

    /// Stores the status of the response and the header fields that the relay needs.
    private func begin(_ response: ParsedResponseHead, _ bytes: UnsafeRawBufferPointer) {
        isIdleTimeout = isKept && response.status == 408 && !response.isKeepAlive
        if isIdleTimeout { return }
        isHeadComplete = true
        isKeepAlive = response.isKeepAlive
        let type = bytes[part: response.contentType.range]
        media =
            switch type {
            case "application/json": "application/json"
            case "text/event-stream": "text/event-stream"
            default: UpstreamHead.mediaType(type)
            }
        head = UpstreamHead(
            status: response.status,
            type: type,
            coding: bytes[part: response.contentEncoding.range],
            retry: (
                bytes[part: response.retryAfter.range], bytes[part: response.retryAfterMilliseconds.range],
                bytes[part: response.shouldRetry.range]
            ),
            redirectURL: endpoint?.resolved(bytes[part: response.location.range])
        )
        if !keptFields.isEmpty || head.lacksWait {
            var rest = bytes
            while let end = rest.first(10) {
                let line = rest[part: 0..<(end > 0 && rest[end - 1] == 13 ? end - 1 : end)]
                rest = rest[part: end + 1..<rest.count]
                guard let colon = line.first(58) else { continue }
                head.keep(line[part: 0..<colon], line[part: colon + 1..<line.count].trimmed, of: keptFields)
            }
        }
        dropRequest()
        if isStreamed { waiter.wake() }
    }

    /// Handles the end of the connection by the vendor.
    private func hasEnded() {
        if showsItsEnd || connection?.hasOrderlyEnd ?? true, response.end() { return complete() }
        brokeOff(sendingFailure ?? (isAnswered ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING))
    }

    private func complete() {
        guard let connection else { return }
        self.connection = nil
        // Bytes after the response must not become the beginning of the next response.
        let isReusable = isKeepAlive && isSent && !connection.hasBufferedBytes
        if isReusable { origin.give(connection) } else { connection.close() }
        finish(CURLE_OK)
    }

    private func brokeOff(_ code: CURLcode) {
        connection?.close()
        connection = nil
        // A kept connection may have been dead before the request reached the vendor.
        if isKept, !isAnswered || isIdleTimeout, !isUnwanted {
            (isKept, isAnswered, isIdleTimeout) = (false, false, false)
            received.removeAll()
            response = ResponseDecoder()
            sentBytes = 0
            sendingFailure = nil
            if connect() { return }
        }
        finish(code)
    }

    // MARK: The reader's pace

    /// Continues reading at the end of the loop's turn.
    override func resume() { loop.atTurnEnd(self) }  // One fast stream must not keep the loop busy.

    func turnEnds() {
        guard let connection, !isPaused else { return }
        connection.reads(true)
        // While reading was stopped, the connection did not report that it can send.
        send()
        canRead()
    }
}
