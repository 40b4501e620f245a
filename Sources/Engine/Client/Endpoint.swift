import CCurl

/// A parsed URL and the options of calls to it.
///
/// `@unchecked`: immutable; libcurl copies the URL when a transfer starts.
package final class Endpoint: @unchecked Sendable {
    let url: OpaquePointer
    let options: EndpointOptions
    /// The constant parts of a request to this endpoint; nil if its calls need libcurl's HTTP code.
    let form: DirectRequestTemplate?

    /// Parses a URL. Returns nil if libcurl does not accept the URL.
    package init?(_ url: String, _ options: EndpointOptions) {
        guard let handle = curl_url() else { return nil }
        guard curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK else {
            curl_url_cleanup(handle)
            return nil
        }
        self.url = handle
        self.options = options
        form = DirectRequestTemplate(handle, options)
    }

    deinit { curl_url_cleanup(url) }

    package var host: String? { part(CURLUPART_HOST) }

    /// The host and port of the URL, such as `127.0.0.1:8080`.
    package var authority: String {
        [host ?? "the host", part(CURLUPART_PORT)].compactMap { $0 }.joined(separator: ":")
    }

    /// The host, port and path of the URL for the log, without query and credentials. A default port is left out.
    package var location: String {
        let usualPort = isHTTPS ? "443" : "80"
        let port = part(CURLUPART_PORT).map { $0 == usualPort ? "" : ":\($0)" } ?? ""
        let path = part(CURLUPART_PATH) ?? ""
        return "\(host ?? "the host")\(port)\(path == "/" ? "" : path)".beginning(ofBytes: Self.locationBytes)
    }

    private static let locationBytes = 300

    /// Returns whether both endpoints have the same scheme, host and port.
    package func hasOrigin(of other: Endpoint) -> Bool {
        [CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT].allSatisfy {
            part($0)?.lowercased() == other.part($0)?.lowercased()
        }
    }

    /// Returns whether the URL's host is the domain `name` or one of its subdomains.
    package func isAt(_ name: String) -> Bool {
        guard let host = host?.lowercased() else { return false }
        return host == name || host.hasSuffix("." + name)
    }

    /// Returns whether the URL has one of these schemes, a host, and no user name or password.
    package func isPlain(_ schemes: [String]) -> Bool {
        guard let scheme = part(CURLUPART_SCHEME), schemes.contains(scheme) else { return false }
        return part(CURLUPART_HOST) != nil && part(CURLUPART_USER) == nil && part(CURLUPART_PASSWORD) == nil
    }

    var isHTTPS: Bool { part(CURLUPART_SCHEME)?.lowercased() == "https" }
    var isHTTP: Bool { part(CURLUPART_SCHEME)?.lowercased() == "http" }

    /// Returns whether `other` is the `https` form of this `http` URL, with the same host and default ports.
    func isUpgraded(by other: Endpoint) -> Bool {
        isHTTP && other.isHTTPS && host?.lowercased() == other.host?.lowercased()
            && part(CURLUPART_PORT) == "80" && other.part(CURLUPART_PORT) == "443"
    }

    private func part(_ which: CURLUPart) -> String? { urlPart(url, which) }

    /// Returns the absolute URL for the value of a `Location` field; nil if the value is invalid.
    func resolved(_ location: UnsafeRawBufferPointer) -> String? {
        guard !location.isEmpty, let copy = curl_url_dup(url) else { return nil }
        defer { curl_url_cleanup(copy) }
        guard curl_url_set(copy, CURLUPART_URL, location.text, 0) == CURLUE_OK else { return nil }
        return urlPart(copy, CURLUPART_URL, flags: 0)
    }
}

private func urlPart(_ url: OpaquePointer, _ which: CURLUPart, flags: UInt32 = UInt32(CURLU_DEFAULT_PORT)) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(url, which, &text, flags) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
}

/// The parts of an HTTP request that are equal for all calls to an endpoint.
struct DirectRequestTemplate: Sendable {
    /// The scheme, host, port, proxy and certificate file as one text. Endpoints with equal texts share connections.
    let origin: String
    let hasTLS: Bool
    /// The bytes after the method: the target, the HTTP version, and the `Host` field.
    let head: [UInt8]

    /// Creates the template. Returns nil if calls to this URL need libcurl's HTTP code.
    init?(_ url: OpaquePointer, _ options: EndpointOptions) {
        guard !options.isHTTP2, let scheme = urlPart(url, CURLUPART_SCHEME), let host = urlPart(url, CURLUPART_HOST),
            let port = urlPart(url, CURLUPART_PORT), let path = urlPart(url, CURLUPART_PATH)
        else { return nil }
        // A proxy for plain HTTP needs another form of the target.
        hasTLS = scheme == "https"
        guard options.proxy.isEmpty || hasTLS || options.proxy.hasPrefix("socks") else { return nil }
        guard [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_ZONEID].allSatisfy({ urlPart(url, $0) == nil }) else {
            return nil
        }
        let query = urlPart(url, CURLUPART_QUERY).map { "?" + $0 } ?? ""
        guard (host + path + query).utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else { return nil }
        let isUsualPort = port == (hasTLS ? "443" : "80")
        let hostField = isUsualPort ? host : "\(host):\(port)"
        origin = "\(scheme)://\(host):\(port) \(options.proxy) \(options.certificateFile ?? "")"
        head = Array(" \(path)\(query) HTTP/1.1\r\nHost: \(hostField)\r\n".utf8)
    }
}

/// The options of calls to an endpoint. Times are limits in milliseconds.
///
/// `firstByteMilliseconds` limits the wait for the first byte of the response's body. `idleMilliseconds` limits each
/// later wait for more bytes of the body.
package struct EndpointOptions: Sendable {
    package var connectMilliseconds = 10_000
    package var firstByteMilliseconds = 300_000
    package var idleMilliseconds = 120_000
    package var totalMilliseconds = 3_600_000
    package var isHTTP2 = false
    /// The largest body of a response, in bytes. Streams are not limited.
    package var responseLimitBytes = 16_777_216
    /// The URL of the proxy; empty if no proxy is used. Proxy settings in the environment are ignored.
    package var proxy = ""
    /// Whether the connection to the proxy itself uses TLS.
    var hasTLSProxy: Bool { proxy.prefix(6).lowercased() == "https:" }
    /// The PEM file of certificates trusted in addition to the system's; nil if there is none.
    package var certificateFile: String?

    package init() {}
}

/// The header lines of a request to a vendor. Calls with the same credential share one object.
///
/// `@unchecked`: immutable.
package final class UpstreamHeaders: @unchecked Sendable {
    let list: UnsafeMutablePointer<curl_slist>?
    /// The bytes of all header lines as they are sent, each with its line end.
    let lines: [UInt8]
    let hasContentType: Bool
    /// Whether the lines contain no header field that the transport sets itself, such as `Host`.
    let isPlain: Bool
    /// The beginnings, in lower case, of the names of the response's fields that are kept (`UpstreamHead.fields`).
    let keptFields: [StaticString]

    /// Creates the header lines of a request. Adds the line `Expect:` if it is missing, and `Accept-Encoding: identity`,
    /// without which a server may compress its responses.
    /// - Parameter lines: lines without control characters, such as `Accept: */*`. A line without a value, such as
    ///   `Accept:`, stops libcurl from adding this field.
    package init(_ lines: [String], keeping keptFields: [StaticString] = []) {
        self.keptFields = keptFields
        let names = lines.map(\.headerName)
        let lines = names.contains("accept-encoding") ? lines : lines + ["Accept-Encoding: identity"]
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines.contains("Expect:") ? lines : lines + ["Expect:"] { list = curl_slist_append(list, line) }
        self.list = list
        hasContentType = names.contains("content-type")
        isPlain = !names.contains { Self.transports.contains($0) }
        var bytes: [UInt8] = []
        if !names.contains("accept") { bytes += "Accept: */*\r\n".utf8 }
        for line in lines where line.utf8.last != UInt8(ascii: ":") {
            bytes += line.utf8
            bytes += "\r\n".utf8
        }
        self.lines = bytes
    }

    deinit { curl_slist_free_all(list) }

    private static let transports = ["host", "content-length", "transfer-encoding", "connection"]
}

extension String {
    /// The part of a header line `Name: value` before the colon, in lower case.
    package var headerName: String { Substring(utf8.prefix { $0 != UInt8(ascii: ":") }).lowercased() }
}
