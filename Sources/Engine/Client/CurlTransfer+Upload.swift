import CCurl

extension CurlTransfer: UpstreamUpload {
    /// Sets the options of an upload on a new handle. Returns false if libcurl refuses an option.
    func prepareUpload(_ endpoint: Endpoint, _ headers: UpstreamHeaders, _ body: UploadBody) -> Bool {
        // An upload needs a new connection: a reused one could be dead, and libcurl cannot send the body a second time.
        // As no other upload would use it, it is closed with the response.
        let this = Unmanaged.passUnretained(self).toOpaque()
        let codes = [
            relay_curl_set_call(easy, CURLOPT_READFUNCTION, giveBytes),
            relay_curl_set_pointer(easy, CURLOPT_READDATA, this),
            relay_curl_set_seek(easy, rewindBody, this),
            relay_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1),
            relay_curl_set_long(easy, CURLOPT_FORBID_REUSE, 1),
            relay_curl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, UploadBody.curlBytes),
            relay_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.totalBytes ?? -1)),
        ]
        outgoing = body
        begin(endpoint, headers)
        arm(at: nextDeadline)
        return codes.allSatisfy { $0 == CURLE_OK }
    }

    // MARK: Interface for the writer

    /// Whether the upload still accepts bytes of the body.
    private var takesBody: Bool { finished == nil && failure == nil && !isAnsweredEarly }

    func write(_ bytes: UnsafeRawBufferPointer) {
        guard let outgoing, takesBody, !bytes.isEmpty else { return }
        guard outgoing.append(bytes) else { return breakOff() }
        resumeBody()
    }

    var isFull: Bool { takesBody && outgoing?.isFull ?? false }

    func drained() async throws(TransportError) -> Bool {
        while isFull, !Task.isCancelled { await waiter.wait() }
        try check()
        return takesBody
    }

    func endBody() async throws(TransportError) {
        if let outgoing, takesBody {
            if outgoing.end() {
                resumeBody()
                restartTimeLimit()
            } else {
                breakOff()
            }
        }
        try await waitForHead()
    }

    private func resumeBody() {
        guard let outgoing, outgoing.isPaused else { return }
        countPause()
        outgoing.isPaused = false
        handle.multi?.resume(handle)
        restartTimeLimit()
    }

    /// Extends the total time limit by the time in which the upload waited for its body.
    func countPause() {
        guard let outgoing, outgoing.isPaused, !isAnsweredEarly else { return }
        postponeTotal(byNanoseconds: loop.now.nanoseconds(since: outgoing.pausedAt))
        outgoing.pausedAt = loop.now
    }

    /// Aborts an upload whose body is shorter or longer than announced.
    private func breakOff() {
        // Otherwise the vendor could consider the body complete.
        failure = TransportError(.broken, code: CURLE_ABORTED_BY_CALLBACK.rawValue)
        abort()
    }

    // MARK: Interface for libcurl

    func give(into room: UnsafeMutableRawBufferPointer) -> Int {
        guard let outgoing, failure == nil else { return Int(CURL_READFUNC_ABORT) }
        let count = outgoing.read(into: room)
        if count == 0, outgoing.isOpen {
            outgoing.isPaused = true
            outgoing.pausedAt = loop.now
            restartTimeLimit()
            return Int(CURL_READFUNC_PAUSE)
        }
        restartTimeLimit()
        if !outgoing.isFull { waiter.wake() }
        return count
    }

    /// Whether the response counts as ended although libcurl considers the transfer unfinished. This is the case if the
    /// vendor refused an upload before the whole body was sent.
    var hasEndedEarly: Bool { isAnsweredEarly && held & CURLPAUSE_RECV == 0 && finished == nil }

    /// Whether libcurl has read no byte of the body yet.
    var isBodyWhole: Bool { !(outgoing?.hasBeenRead ?? false) }
}

/// Copies bytes of the upload's body to libcurl. libcurl calls this function as its read callback.
private let giveBytes: relay_curl_write = { room, unit, count, context in
    guard let room, let transfer = object(context, CurlTransfer.self) else { return Int(CURL_READFUNC_ABORT) }
    return transfer.give(into: UnsafeMutableRawBufferPointer(start: room, count: unit * count))
}

private let rewindBody: relay_curl_on_seek = { context, offset, _ in
    let isPossible = offset == 0 && object(context, CurlTransfer.self)?.isBodyWhole ?? false
    return isPossible ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
}
