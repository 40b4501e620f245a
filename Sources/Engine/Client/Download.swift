import CCurl

/// A blocking download of one document over HTTP. Use it only before the loops start, or on a separate thread.
package struct Download: Sendable {
    package enum DownloadResult: Sendable {
        /// The downloaded document, and its `ETag`; nil if it has none.
        case document([UInt8], tag: String?)
        /// The document is unchanged since the earlier download whose `ETag` was sent.
        case unchanged
        /// The download failed, for the given reason, which does not contain the URL.
        case failed(String)
    }

    private let url: String
    private let agent: String
    /// The URL of the proxy; empty if no proxy is used.
    private let proxy: String
    /// The PEM file of certificates trusted in addition to the system's; nil if there is none.
    private let certificateFile: String?
    /// Whether the document is encrypted with a key of the operator.
    private let isSealed: Bool

    private static let limitBytes = 1 << 20
    private static let limitSeconds = 10
    private static let redirects = 5

    /// - Parameter isSealed: whether the document is encrypted; if false, redirects to another host are not followed.
    package init(
        _ url: String,
        agent: String,
        proxy: String = "",
        certificateFile: String? = nil,
        isSealed: Bool = false
    ) {
        self.isSealed = isSealed
        self.url = url
        self.agent = agent
        self.proxy = proxy
        self.certificateFile = certificateFile
    }

    /// Downloads the document. Blocks the thread until the download ends.
    /// - Parameters:
    ///   - tag: the `ETag` of an earlier copy; nil if there is none. If the document still has this tag, the result is
    ///     `unchanged`.
    ///   - isCancelled: whether the download must end, asked about once a second.
    package func get(unless tag: String? = nil, isCancelled: @escaping () -> Bool = { false }) -> DownloadResult {
        guard let easy = curl_easy_init() else { return .failed("out of memory") }
        defer { curl_easy_cleanup(easy) }
        let received = ReceivedDocument(isCancelled: isCancelled)
        let headers = UpstreamHeaders(
            ["User-Agent: \(agent)", "Accept: */*"] + (tag.map { ["If-None-Match: \($0)"] } ?? [])
        )
        var source = url
        for _ in 0...Self.redirects {
            let code = withExtendedLifetime(headers) { () -> CURLcode in
                let failed = prepare(easy, source, headers: headers, received: received).first { $0 != CURLE_OK }
                return failed ?? curl_easy_perform(easy)
            }
            guard let next = target(of: easy, code) else { return outcome(of: easy, code, received, tag: tag) }
            if let problem = problem(from: source, to: next) { return .failed(problem) }
            source = next
        }
        return .failed("the URL redirects more than \(Self.redirects) times")
    }

    /// Returns the URL to which the response redirects; nil if it does not redirect.
    private func target(of easy: UnsafeMutableRawPointer, _ code: CURLcode) -> String? {
        var status = 0
        var location: UnsafePointer<CChar>?
        guard code == CURLE_OK, relay_curl_status(easy, &status) == CURLE_OK, status / 100 == 3 else { return nil }
        guard relay_curl_redirect(easy, &location) == CURLE_OK, let location else { return nil }
        return String(cString: location)
    }

    /// Returns the reason why a redirect must not be followed; nil if it may be followed.
    private func problem(from old: String, to new: String) -> String? {
        guard let from = Endpoint(old, EndpointOptions()), let to = Endpoint(new, EndpointOptions()),
            let (oldHost, newHost) = from.host.flatMap({ old in to.host.map { (old, $0) } })
        else { return "the URL redirects to an invalid URL" }
        let hosts = "the URL redirects from \(oldHost) to \(newHost)"
        guard to.isHTTPS || !from.isHTTPS && to.isHTTP else { return "\(hosts) without TLS, which is not followed" }
        if from.hasOrigin(of: to) || from.isUpgraded(by: to) { return nil }
        guard from.isHTTPS, to.isHTTPS, isSealed else {
            return "\(hosts); another host or port is followed only from https to https, with CONFIG_KEY set"
        }
        return nil
    }

    private func outcome(
        of easy: UnsafeMutableRawPointer,
        _ code: CURLcode,
        _ received: ReceivedDocument,
        tag: String?
    ) -> DownloadResult {
        if received.isTooLong { return .failed("the document is larger than 1 MB") }
        var status = 0
        guard code == CURLE_OK else {
            _ = relay_curl_proxy_status(easy, &status)
            let host = Endpoint(url, EndpointOptions())?.authority ?? "the host"
            let refusal = TransportError.refusal(ofProxy: proxy, status, host)
            let fault = CertificateFault(easy, code)?.cause(at: host)
            return .failed(refusal ?? fault ?? String(cString: curl_easy_strerror(code)))
        }
        _ = relay_curl_status(easy, &status)
        switch status {
        case 200 where !received.hasEnd:
            return .failed("the response has no length and no end, so it may be cut off")
        case 200: return .document(received.bytes, tag: received.tag)
        case 304 where tag != nil: return .unchanged
        default: return .failed("the server returned \(status)")
        }
    }

    private func prepare(
        _ easy: UnsafeMutableRawPointer,
        _ url: String,
        headers: UpstreamHeaders,
        received: ReceivedDocument
    ) -> [CURLcode] {
        let this = Unmanaged.passUnretained(received).toOpaque()
        var codes = [
            relay_curl_set_text(easy, CURLOPT_URL, url),
            relay_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
            relay_curl_set_long(easy, CURLOPT_TIMEOUT, Self.limitSeconds),
            relay_curl_set_long(easy, CURLOPT_NOSIGNAL, 1),
            relay_curl_set_text(easy, CURLOPT_PROXY, proxy),
            relay_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers.list),
            relay_curl_set_call(easy, CURLOPT_WRITEFUNCTION, deliverDocument),
            relay_curl_set_pointer(easy, CURLOPT_WRITEDATA, this),
            relay_curl_set_call(easy, CURLOPT_HEADERFUNCTION, deliverDocumentHeader),
            relay_curl_set_pointer(easy, CURLOPT_HEADERDATA, this),
            relay_curl_set_progress(easy, isDownloadCancelled, this),
        ]
        if let certificateFile {
            codes.append(relay_curl_set_text(easy, CURLOPT_CAINFO, certificateFile))
            codes.append(relay_curl_set_text(easy, CURLOPT_PROXY_CAINFO, certificateFile))
        }
        return codes
    }

    /// The part of the document that has arrived, and its `ETag`.
    fileprivate final class ReceivedDocument {
        var bytes: [UInt8] = []
        var tag: String?
        var isTooLong = false
        /// Whether the response shows where it ends: by its length, its last chunk, or a frame of HTTP/2.
        var hasEnd = false
        let isCancelled: () -> Bool

        init(isCancelled: @escaping () -> Bool) { self.isCancelled = isCancelled }

        func append(_ more: UnsafeRawBufferPointer) -> Bool {
            isTooLong = bytes.count + more.count > Download.limitBytes
            if !isTooLong { bytes += more }
            return !isTooLong
        }

        func append(line: UnsafeRawBufferPointer) {
            // After a redirect, only the last response counts.
            if line.hasPrefix("HTTP/") {
                tag = nil
                bytes = []
                hasEnd = line.hasPrefix("HTTP/2")
            }
            guard let colon = line.first(UInt8(ascii: ":")) else { return }
            let name = line[part: 0..<colon]
            hasEnd = hasEnd || name.equalsLowered("content-length") || name.equalsLowered("transfer-encoding")
            guard name.equalsLowered("etag") else { return }
            let end = line.first(UInt8(ascii: "\r")) ?? line.firstNewline() ?? line.count
            let value = line[part: colon + 1..<end].trimmed
            if value.count <= 256, value.allSatisfy({ $0 > 32 && $0 < 127 }) { tag = value.text }
        }
    }
}

private let deliverDocument: relay_curl_write = { bytes, unit, count, context in
    received(bytes, unit * count, context: context) { $0.append($1) ? $1.count : 0 }
}

private let deliverDocumentHeader: relay_curl_write = { bytes, unit, count, context in
    received(bytes, unit * count, context: context) {
        $0.append(line: $1)
        return $1.count
    }
}

private let isDownloadCancelled: relay_curl_on_progress = { context, _, _, _, _ in
    object(context, Download.ReceivedDocument.self)?.isCancelled() ?? false ? 1 : 0
}

private func received(
    _ bytes: UnsafeMutablePointer<CChar>?,
    _ count: Int,
    context: UnsafeMutableRawPointer?,
    _ append: (Download.ReceivedDocument, UnsafeRawBufferPointer) -> Int
) -> Int {
    guard let bytes, let received = object(context, Download.ReceivedDocument.self) else { return 0 }
    return append(received, UnsafeRawBufferPointer(start: bytes, count: count))
}
