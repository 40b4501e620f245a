import Engine
import Shared

/// Checks of the web page and the connection from which a request comes.
extension Request {
    /// The token in the header `Authorization: Bearer`; nil if the header is absent or has another form.
    var operatorToken: UnsafeRawBufferPointer? {
        guard let value = self[.authorization], value.count > 7, value[part: 0..<7].equalsLowered("bearer ") else {
            return nil
        }
        return value[part: 7..<value.count].trimmed
    }

    /// Returns whether the request comes from one of the relay's own pages, or from no web page at all.
    func isOfOwnPage(_ settings: Settings) -> Bool {
        if let site = self[.secFetchSite], site.equalsLowered("cross-site") || site.equalsLowered("same-site") {
            return false
        }
        guard let origin = self[.origin] else { return true }
        guard hasOneOrigin else { return false }
        let text = origin.text.lowercased()
        if let own = settings.publicURL.flatMap(Self.origin), text == own { return true }
        guard let host = self[.host]?.text.lowercased() else { return false }
        return text == "http://\(host)" || text == "https://\(host)"
    }

    /// Returns whether a web page sent the request whose origin is neither the relay's own nor in `CORS_ORIGINS`.
    func isOfForeignPage(_ gateway: Gateway) -> Bool {
        // Requests of programs have no origin; for them the settings are not copied.
        guard !gateway.isOpenToAllOrigins, self[.origin] != nil else { return false }
        return isForeign(to: gateway)
    }

    @inline(never)  // The copy of the settings would be a part of each request's frame.
    private func isForeign(to gateway: Gateway) -> Bool {
        let settings = gateway.settings
        return listedOrigin(settings) == nil && !isOfOwnPage(settings)
    }

    /// Returns the only `Origin` of the request if `CORS_ORIGINS` contains it; otherwise nil.
    func listedOrigin(_ settings: Settings) -> String? {
        guard let given = self[.origin], given.count <= Self.originLimitBytes, hasOneOrigin else { return nil }
        let origin = given.text
        return settings.corsOrigins.contains(origin.lowercased()) ? origin : nil
    }

    /// The longest `Origin` header that is compared with `CORS_ORIGINS`, in bytes.
    private static let originLimitBytes = 300

    /// Returns whether `Origin` is present and is the origin of this request or of `PUBLIC_URL`.
    func isOfOwnOrigin(_ settings: Settings) -> Bool {
        guard let origin = self[.origin]?.text.lowercased(), hasOneOrigin else { return false }
        let given = Self.withoutUsualPort(origin)
        if let own = settings.publicURL.flatMap(Self.origin), given == Self.withoutUsualPort(own) { return true }
        guard let host = self[.host]?.text.lowercased() else { return false }
        return given == Self.withoutUsualPort("\(isOverTLS(settings) ? "https" : "http")://\(host)")
    }

    /// Whether the request has exactly one line `Origin`. Browsers send one, so a second one was added on the way.
    private var hasOneOrigin: Bool { lines(of: .origin).count == 1 }

    /// Returns whether a trusted proxy reports that its client used TLS.
    func isOverTLS(_ settings: Settings) -> Bool {
        guard settings.limits.trustedProxies.contains(where: { $0.contains(peer) }) else { return false }
        return lines(named: "x-forwarded-proto").first?.equalsLowered("https") ?? false
    }

    private static func withoutUsualPort(_ origin: String) -> String {
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")]
        where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
            return String(origin.dropLast(port.utf8.count))
        }
        return origin
    }

    /// Returns whether the header `Host` names this machine or the host of `PUBLIC_URL`.
    func isToThisMachine(_ settings: Settings) -> Bool {
        // Another site may let its host name point to this machine, and a browser would treat that site's pages as the
        // relay's.
        guard let host = self[.host]?.text.lowercased() else { return false }
        if let own = settings.publicURL.flatMap(Self.origin), own.hasSuffix("://" + host) { return true }
        let isBracketed = host.utf8.first == UInt8(ascii: "[")
        let name = isBracketed ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        return name == "localhost" || PeerAddress(text: String(name))?.isLoopback ?? false
    }

    /// Returns a URL's scheme, host and port, such as `https://relay.example.org`; nil if there are none.
    private static func origin(_ url: String) -> String? {
        let parts = url.lowercased().split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count > 2 ? "\(parts[0])//\(parts[2])" : nil
    }
}
