import CCurl

extension CurlTransfer: UpstreamUpload {
    /// For a new handle: its options are an upload's for ever. Always a new connection: a kept one may turn out to be
    /// dead, and what was read of the body cannot be sent again.
    func prepareUpload(_ endpoint: Endpoint, _ headers: UpstreamHeaders, _ body: Outgoing) -> Bool {
        let this = Unmanaged.passUnretained(self).toOpaque()
        let codes = [
            relay_curl_set_call(easy, CURLOPT_READFUNCTION, giveBytes),
            relay_curl_set_pointer(easy, CURLOPT_READDATA, this),
            relay_curl_set_seek(easy, rewindBody, this),
            relay_curl_set_before(easy, beforeRequest, this),
            relay_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1),
            relay_curl_set_long(easy, CURLOPT_UPLOAD_BUFFERSIZE, Outgoing.curlBytes),
            relay_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.totalBytes ?? -1)),
        ]
        outgoing = body
        begin(endpoint, headers)
        arm(at: nextDeadline)
        return codes.allSatisfy { $0 == CURLE_OK }
    }

    // MARK: For the writer

    /// Bytes are still sent.
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
                limitAnew()
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
        limitAnew()
    }

    /// The time in which more of the body is waited for does not count.
    func countPause() {
        guard let outgoing, outgoing.isPaused, !isAnsweredEarly else { return }
        postponeTotal(byNanoseconds: loop.now.nanoseconds(since: outgoing.pausedAt))
        outgoing.pausedAt = loop.now
    }

    /// The body has not the length that was said: the vendor must not take it for whole.
    private func breakOff() {
        failure = TransportError(.broken, code: CURLE_ABORTED_BY_CALLBACK.rawValue)
        abort()
    }

    // MARK: For libcurl

    func give(into room: UnsafeMutableRawBufferPointer) -> Int {
        guard let outgoing, failure == nil else { return Int(CURL_READFUNC_ABORT) }
        let count = outgoing.take(into: room)
        if count == 0, outgoing.isOpen {
            outgoing.isPaused = true
            outgoing.pausedAt = loop.now
            limitAnew()
            return Int(CURL_READFUNC_PAUSE)
        }
        limitAnew()
        if !outgoing.isFull { waiter.wake() }
        return count
    }

    /// libcurl wants nothing of the connection. It holds a transfer for unfinished whose body was refused while it was
    /// paused, or refused with `Connection: close`; that is the answer's end.
    var hasEndedEarly: Bool { isAnsweredEarly && held & CURLPAUSE_RECV == 0 && finished == nil }

    /// A body of which a part has been read is not to be had again. libcurl 7.88 asks only when it knows that a part
    /// was sent, and would otherwise go on in the middle: hence the question before each attempt.
    var isBodyWhole: Bool { !(outgoing?.hasBeenTaken ?? false) }
}

/// libcurl's read callback.
private func giveBytes(
    room: UnsafeMutablePointer<CChar>?,
    unit: Int,
    count: Int,
    context: UnsafeMutableRawPointer?
) -> Int {
    guard let room, let transfer = transfer(context) else { return Int(CURL_READFUNC_ABORT) }
    return transfer.give(into: UnsafeMutableRawBufferPointer(start: room, count: unit * count))
}

private func rewindBody(context: UnsafeMutableRawPointer?, offset: curl_off_t, origin: Int32) -> Int32 {
    let isPossible = offset == 0 && transfer(context)?.isBodyWhole ?? false
    return isPossible ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
}

/// Called for each connection on which the request is about to be sent.
private func beforeRequest(
    context: UnsafeMutableRawPointer?,
    vendor: UnsafeMutablePointer<CChar>?,
    own: UnsafeMutablePointer<CChar>?,
    vendorPort: Int32,
    ownPort: Int32
) -> Int32 {
    transfer(context)?.isBodyWhole ?? false ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}
