import Engine
import Shared

/// The pages of browsers that a request may come from.
extension Request {
    /// Whether no browser sends the request for a page of another site: such a page could do what its reader may.
    func isOfOwnPage(_ settings: Settings) -> Bool {
        if let site = self[.secFetchSite], site.equalsLowered("cross-site") || site.equalsLowered("same-site") {
            return false
        }
        guard let origin = self[.origin] else { return true }
        let text = origin.text.lowercased()
        if let own = settings.publicURL.flatMap(Self.origin), text == own { return true }
        guard let host = self[.host]?.text.lowercased() else { return false }
        return text == "http://\(host)" || text == "https://\(host)"
    }

    /// Whether `Host` names this machine. The name of another site may lead here, too, and its page is then read as ours.
    func isToThisMachine(_ settings: Settings) -> Bool {
        guard let host = self[.host]?.text.lowercased() else { return false }
        if let own = settings.publicURL.flatMap(Self.origin), own.hasSuffix("://" + host) { return true }
        let isBracketed = host.utf8.first == UInt8(ascii: "[")
        let name = isBracketed ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        return name == "localhost" || PeerAddress(text: String(name))?.isLoopback ?? false
    }

    /// The scheme and authority of a URL.
    private static func origin(_ url: String) -> String? {
        let parts = url.lowercased().split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        return parts.count > 2 ? "\(parts[0])//\(parts[2])" : nil
    }
}
