import CCurl

/// A call on HTTP/1.1 of our own, on a connection that libcurl makes.
///
/// `@unchecked`: only its loop's thread touches it.
final class DirectTransfer: UpstreamTransfer, ConnectionUser, TurnEnd, @unchecked Sendable {
    private let origin: OriginConnections
    private let form: DirectForm
    private var connection: UpstreamConnection?
    /// The connection served another call before.
    private var isKept = false
    /// The request's head, and its body where that is small.
    private var request = ByteBuffer()
    /// Sent after it, in place.
    private var body: Body?
    private var sentBytes = 0
    private var sendingFailure: CURLcode?
    private var answer = AnswerDecoder()
    private var isKeepAlive = false
    /// Something of the answer has come.
    private var isAnswered = false
    private var media = ""
    /// A body up to that goes with the head in one piece.
    private static let joinedBytes = 16_384

    init(_ call: borrowing UpstreamCall, _ form: borrowing DirectForm, _ pool: ConnectionPool, isStreamed: Bool) {
        origin = pool.connections(for: form, isStreamed: isStreamed)
        self.form = copy form
        super.init(client: pool.client, isStreamed: isStreamed)
        compose(call)
        start(at: call.endpoint, by: call.deadline)
    }

    private func compose(_ call: borrowing UpstreamCall) {
        let count = call.body?.bytes.count ?? 0
        let isJoined = count <= Self.joinedBytes
        _ = request.reserve(form.place.count + call.headers.lines.count + 128 + (isJoined ? count : 0))
        request.append(call.isDeletion ? "DELETE" : call.body == nil ? "GET" : "POST")
        form.place.withUnsafeBytes { request.append($0) }
        call.headers.lines.withUnsafeBytes { request.append($0) }
        guard let body = call.body else { return request.append("\r\n") }
        if !call.headers.hasContentType { request.append("Content-Type: application/x-www-form-urlencoded\r\n") }
        request.append("Content-Length: ")
        request.append(decimal: count)
        request.append("\r\n\r\n")
        if isJoined { request.append(body.bytes) } else { self.body = body }
    }

    /// Once. False: there is no memory.
    func begin() -> Bool {
        if let kept = origin.takeIdle() {
            kept.user = self
            connection = kept
            isKept = true
            limitAnew()
            send()
            return true
        }
        return connect()
    }

    private func connect() -> Bool {
        guard let endpoint, let new = UpstreamConnection(to: endpoint, form, for: self, origin) else {
            return false
        }
        connection = new
        limitAnew()
        return true
    }

    func connected(_ code: CURLcode) {
        if code == CURLE_OK { send() } else { brokeOff(code) }
    }

    override var hasTotalElsewhere: Bool { false }
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
        answer = AnswerDecoder()
        super.clear()
    }

    // MARK: The request

    private var isSent: Bool { sentBytes == request.count + (body?.bytes.count ?? 0) }

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
                // The vendor may have answered before it ended the connection.
                sendingFailure = failure.code
                // The call may go on with a new connection, which is not there yet.
                return canRead()
            }
        }
    }

    /// A stream may last for an hour; what was asked is of no more use once it is sent and answered.
    private func dropRequest() {
        guard isSent else { return }
        sentBytes = 0
        request.release()
        body = nil
    }

    // MARK: The answer

    func canRead() {
        let room = UnsafeMutableRawBufferPointer(rebasing: loop.scratch[..<origin.readBytes])
        while let connection, failure == nil, !isPaused {
            switch connection.read(into: room) {
            case .nothing:
                if let sendingFailure { brokeOff(sendingFailure) }
                return
            case .bytes(let count):
                isAnswered = true
                do throws(MalformedAnswer) {
                    try take(UnsafeRawBufferPointer(rebasing: room[..<count]))
                } catch {
                    return brokeOff(CURLE_WEIRD_SERVER_REPLY)
                }
                // Else more may be in TLS, of which epoll does not know.
                if count < room.count, sendingFailure == nil { return }
            case .end: return hasEnded()
            case .broken(let code): return brokeOff(code)
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(MalformedAnswer) {
        let before = received.count
        guard hasRoom(for: bytes.count) else { return refuse() }
        try answer.take(bytes, into: &received) { begin($0, $1) }
        guard isWithinLimit() else { return refuse() }
        if isUnwanted {
            received.removeAll()
        } else if received.count > before {
            hasReceived()
        }
        if answer.isDone { return complete() }
        if isStreamed, received.count >= Self.streamLimitBytes {
            isPaused = true
            connection?.reads(false)
        }
    }

    /// Nobody wants the rest; who waits ends the call.
    private func refuse() {
        connection?.reads(false)
        waiter.wake()
    }

    /// - Parameter bytes: the head's.
    private func begin(_ answer: AnswerHead, _ bytes: UnsafeRawBufferPointer) {
        isHeadComplete = true
        isKeepAlive = answer.isKeepAlive
        let type = bytes[part: answer.contentType.range]
        media =
            switch type {
            case "application/json": "application/json"
            case "text/event-stream": "text/event-stream"
            default: UpstreamHead.mediaType(type)
            }
        head = UpstreamHead(
            status: answer.status,
            type: type,
            retry: (
                bytes[part: answer.retryAfter.range], bytes[part: answer.retryAfterMilliseconds.range],
                bytes[part: answer.shouldRetry.range]
            ),
            redirectURL: endpoint?.resolved(bytes[part: answer.location.range])
        )
        dropRequest()
        if isStreamed { waiter.wake() }
    }

    /// The vendor has ended the connection.
    private func hasEnded() {
        if answer.end() { return complete() }
        brokeOff(sendingFailure ?? (isAnswered ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING))
    }

    private func complete() {
        guard let connection else { return }
        self.connection = nil
        if isKeepAlive, isSent { origin.give(connection) } else { connection.close() }
        finish(CURLE_OK)
    }

    private func brokeOff(_ code: CURLcode) {
        connection?.close()
        connection = nil
        // A kept connection may have been dead before the request came there.
        if isKept, !isAnswered, !isUnwanted {
            isKept = false
            sentBytes = 0
            sendingFailure = nil
            if connect() { return }
        }
        finish(code)
    }

    // MARK: The reader's pace

    /// At the turn's end: a fast vendor and a fast reader would keep the loop for themselves.
    override func resume() { loop.atTurnEnd(self) }

    func turnEnds() {
        guard let connection, !isPaused else { return }
        connection.reads(true)
        canRead()
    }
}
