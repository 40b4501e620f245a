/// The parsed head of an HTTP request. Texts are ranges of the bytes of the head.
package struct RequestHead {
    package var method = Method.get
    /// The range of the path in the head's bytes, before decoding, without host and query.
    package var path = ByteRange()
    package var isPathPlain = true
    package var contentLength: Int?
    package var isChunked = false
    package var isHTTP11 = true
    package var isKeepAlive = true
    package var expectsContinue = false
    var values = InlineArray<27, ByteRange>(repeating: ByteRange())

    package init() {}

    package subscript(_ field: HeaderField) -> ByteRange { values[field.rawValue] }

    /// The range of the name of the client's session: the first header field with such a name. Empty without one.
    var session: ByteRange {
        for raw in HeaderField.claudeCodeSession.rawValue...HeaderField.openCodeSession.rawValue
        where !values[raw].isEmpty { return values[raw] }
        return ByteRange()
    }
}

package enum Method: Sendable, CaseIterable {
    case get, head, post, put, patch, delete, options

    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        }
    }
}

/// A header field of a client's request that the relay stores. Only the first value of a repeated field is stored.
package enum HeaderField: Int, CaseIterable {
    case host, connection, contentLength, transferEncoding, expect
    case authorization, xAPIKey, apiKey, xGoogAPIKey, contentType, contentEncoding, accept
    case origin, accessControlRequestHeaders, id, cookie, xForwardedFor, cacheControl, anthropicVersion
    case secFetchSite
    // The bounds of a wait for limits: the relay's own field, and the timeouts of clients.
    case relayWait, stainlessReadTimeout, stainlessTimeout
    // The names of sessions, by precedence.
    case claudeCodeSession, codexSession, openWebUIChat, openCodeSession

    /// The field's name in lower case.
    package var name: StaticString {
        switch self {
        case .host: "host"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .expect: "expect"
        case .authorization: "authorization"
        case .xAPIKey: "x-api-key"
        case .apiKey: "api-key"
        case .xGoogAPIKey: "x-goog-api-key"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .accept: "accept"
        case .origin: "origin"
        case .accessControlRequestHeaders: "access-control-request-headers"
        case .id: "id"
        case .cookie: "cookie"
        case .xForwardedFor: "x-forwarded-for"
        case .cacheControl: "cache-control"
        case .anthropicVersion: "anthropic-version"
        case .secFetchSite: "sec-fetch-site"
        case .relayWait: "x-relay-wait"
        case .stainlessReadTimeout: "x-stainless-read-timeout"
        case .stainlessTimeout: "x-stainless-timeout"
        case .claudeCodeSession: "x-claude-code-session-id"
        case .codexSession: "session-id"
        case .openWebUIChat: "x-openwebui-chat-id"
        case .openCodeSession: "x-opencode-session-id"
        }
    }

    /// The header fields by the length of their names: the bits at index `n` are the raw values of the fields whose
    /// names have `n` bytes.
    static let byLength: InlineArray<31, UInt32> = {
        var table = InlineArray<31, UInt32>(repeating: 0)
        for field in allCases { table[field.name.utf8CodeUnitCount] |= 1 << UInt32(field.rawValue) }
        return table
    }()

    /// Returns the field with this name, ignoring case; nil if the relay does not store this field.
    @inline(__always)
    static func named(_ name: UnsafeRawBufferPointer) -> HeaderField? {
        guard name.count < byLength.count else { return nil }
        var alike = byLength[name.count]
        while alike != 0 {
            if let field = HeaderField(rawValue: alike.trailingZeroBitCount), name.equalsLowered(field.name) {
                return field
            }
            alike &= alike - 1
        }
        return nil
    }
}

/// A range of bytes in a head of at most 64 KB.
package struct ByteRange {
    package var start: UInt16 = 0
    package var end: UInt16 = 0

    package init() {}

    package init(_ range: Range<Int>) {
        start = UInt16(range.lowerBound)
        end = UInt16(range.upperBound)
    }

    package var range: Range<Int> { Int(start)..<Int(end) }
    package var isEmpty: Bool { start == end }
}
