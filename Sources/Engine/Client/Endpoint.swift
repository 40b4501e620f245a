import CCurl

/// One URL of a vendor, parsed once, and how calls to it are made.
///
/// `@unchecked`: immutable; libcurl copies the URL when a transfer starts.
package final class Endpoint: @unchecked Sendable {
    let url: OpaquePointer
    let options: EndpointOptions

    /// Fails if libcurl does not take `url`.
    package init?(_ url: String, _ options: EndpointOptions) {
        guard let handle = curl_url() else { return nil }
        guard curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK else {
            curl_url_cleanup(handle)
            return nil
        }
        self.url = handle
        self.options = options
    }

    deinit { curl_url_cleanup(url) }

    var host: String? { part(CURLUPART_HOST) }

    /// The same scheme, host and port.
    package func hasOrigin(of other: Endpoint) -> Bool {
        [CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT].allSatisfy {
            part($0)?.lowercased() == other.part($0)?.lowercased()
        }
    }

    /// The host is that one, or below it.
    package func isAt(_ name: String) -> Bool {
        guard let host = host?.lowercased() else { return false }
        return host == name || host.hasSuffix("." + name)
    }

    /// One of these schemes, a host, and no credentials.
    package func isPlain(_ schemes: [String]) -> Bool {
        guard let scheme = part(CURLUPART_SCHEME), schemes.contains(scheme) else { return false }
        return part(CURLUPART_HOST) != nil && part(CURLUPART_USER) == nil && part(CURLUPART_PASSWORD) == nil
    }

    private func part(_ which: CURLUPart) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, which, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}

/// Times in milliseconds. First byte: of the body, from the call's start. Idle: between pieces after it.
package struct EndpointOptions: Sendable {
    package var connectMilliseconds = 10_000
    package var firstByteMilliseconds = 300_000
    package var idleMilliseconds = 120_000
    package var totalMilliseconds = 3_600_000
    package var isHTTP2 = false
    /// Of an answer that is wanted whole.
    package var answerLimitBytes = 16_777_216
    /// A proxy's URL; empty: none. The environment's is never taken.
    package var proxy = ""
    /// A file of certificates trusted besides the system's.
    package var certificateFile: String?

    package init() {}
}

/// Header lines of calls; kept by who sends them, once for each key.
///
/// `@unchecked`: immutable.
package final class UpstreamHeaders: @unchecked Sendable {
    let list: UnsafeMutablePointer<curl_slist>?

    /// `lines`: `Name: value` without control characters; `Name:` keeps libcurl from sending its own. Its `Expect` is
    /// never sent.
    package init(_ lines: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines.contains("Expect:") ? lines : lines + ["Expect:"] { list = curl_slist_append(list, line) }
        self.list = list
    }

    deinit { curl_slist_free_all(list) }
}
