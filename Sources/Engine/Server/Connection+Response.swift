/// The state of the response to the current request: not begun, being streamed, or complete.
enum ResponseState {
    case none, streaming, complete
}

extension Connection: ResponseWriter {
    private var hidesBody: Bool { head.method == .head }

    func send(_ response: borrowing ResponseHead, body: borrowing ByteBuffer) {
        guard phase == .active, responseState == .none else { return }
        _ = output.reserve(response.fields.count + body.count + 160)
        appendHead(response)
        if response.status != 204 && response.status != 304 {
            output.append("Content-Length: ", decimal: body.count, "\r\n")
        }
        output.append("\r\n")
        if !hidesBody { output.append(body.bytes) }
        finish()
    }

    func begin(_ response: borrowing ResponseHead) {
        guard phase == .active, responseState == .none else { return }
        appendHead(response)
        output.append(head.isHTTP11 ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n")
        responseState = .streaming
        flushLater()
    }

    private func appendHead(_ response: borrowing ResponseHead) {
        output.append("HTTP/1.1 ", decimal: response.status, " ")
        output.append(reasonPhrase(response.status))
        output.append("\r\n")
        server.appendDate(to: &output)
        output.append(response.fields.bytes)
        if response.closes { endKeepAlive() }
        if !head.isKeepAlive || !isBodyComplete || server.isDraining { output.append("Connection: close\r\n") }
    }

    func write(_ bytes: borrowing ByteBuffer) {
        guard phase == .active, responseState == .streaming, !bytes.isEmpty, !hidesBody else { return }
        _ = output.reserve(bytes.count + 32)
        if head.isHTTP11 {
            output.append(hex: UInt(bytes.count))
            output.append("\r\n")
            output.append(bytes.bytes)
            output.append("\r\n")
        } else {
            output.append(bytes.bytes)
        }
        flushLater()
    }

    /// Sends the bytes of `batch` as one chunk of the response, and empties `batch`.
    func write(batch: inout ByteBuffer) {
        guard phase == .active, responseState == .streaming, !batch.isEmpty, !hidesBody, head.isHTTP11,
            output.count + Self.sizeLineBytes <= batch.frontBytes
        else {
            write(batch)
            return batch.release()
        }
        batch.prepend(sizeLineOf: batch.count)
        batch.prepend(output.bytes)
        batch.append("\r\n")
        swap(&output, &batch)
        batch.release()
        flushLater()
    }

    /// The largest length of the line with a chunk's size, in bytes.
    private static let sizeLineBytes = 18

    var isFull: Bool { output.count > server.bounds.outputBytes }

    var unsentBytes: Int { output.count }

    func drained(by deadline: LoopTime) async {
        let timer = Timer(drainWaiter)
        if deadline != .distantFuture { loop.arm(timer, at: deadline) }
        defer { loop.remove(timer) }
        while isFull, phase == .active, !Task.isCancelled, loop.now < deadline { await drainWaiter.wait() }
    }

    func end() {
        guard phase == .active, responseState == .streaming else { return }
        if head.isHTTP11, !hidesBody { output.append("0\r\n\r\n") }
        finish()
    }

    func cut() {
        guard phase == .active else { return }
        responseState = .complete
        closesAfterFlush = true
        flushLater()
    }
}

/// Returns the reason phrase for an HTTP status; `Unknown` for a status that the relay does not use.
func reasonPhrase(_ status: Int) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 302: "Found"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 402: "Payment Required"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 422: "Unprocessable Content"
    case 426: "Upgrade Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: "Unknown"
    }
}
