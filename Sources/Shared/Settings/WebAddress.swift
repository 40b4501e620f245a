import Engine

/// An absolute URL from a setting, without query, fragment and slash at its end.
struct WebAddress {
    let scheme: String
    /// The credentials in the URL as `user:password`; nil if the URL has no credentials.
    let credentials: String?
    /// The host of the URL with the port, if there is one. IPv6 addresses are in brackets.
    let authority: String
    /// The host without the port and without brackets.
    let host: String
    /// The port in the URL; nil if it names none.
    let port: Int?
    let path: String

    init?(_ text: String, schemes: [String], mayHoldCredentials: Bool) {
        let isPlain = text.utf8.allSatisfy { $0 > 32 && $0 < 127 && !"?#\"<>\\^`{|}".utf8.contains($0) }
        guard isPlain, let colon = text.firstIndex(of: ":") else { return nil }
        scheme = text[..<colon].lowercased()
        let rest = text[colon...]
        guard schemes.contains(scheme), rest.hasPrefix("://") else { return nil }
        let afterScheme = rest.dropFirst(3)
        let slash = afterScheme.firstIndex(of: "/") ?? afterScheme.endIndex
        var host = afterScheme[..<slash]
        if let at = host.lastIndex(of: "@") {
            guard mayHoldCredentials else { return nil }
            credentials = String(host[..<at])
            host = host[host.index(after: at)...]
        } else {
            credentials = nil
        }
        guard let parts = WebAddress.parts(of: host) else { return nil }
        (authority, self.host, port) = (String(host), String(parts.host), parts.port)
        var path = afterScheme[slash...]
        while path.last == "/" { path = path.dropLast() }
        self.path = String(path)
    }

    var text: String { "\(scheme)://\(credentials.map { $0 + "@" } ?? "")\(authority)\(path)" }

    /// Returns the host and the port, which is from 1 to 65535 if there is one; nil if the text has another form.
    private static func parts(of text: Substring) -> (host: Substring, port: Int?)? {
        let isBracketed = text.first == "["
        let end =
            isBracketed ? text.firstIndex(of: "]").map(text.index(after:)) : text.firstIndex(of: ":") ?? text.endIndex
        guard let end else { return nil }
        let (host, rest) = (text[..<end], text[end...])
        var number: Int?
        if !rest.isEmpty {
            let port = rest.dropFirst()
            guard rest.first == ":", port.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
            number = Int(port).flatMap { (1...65_535).contains($0) ? $0 : nil }
            if number == nil { return nil }
        }
        if isBracketed {
            let address = host.dropFirst().dropLast()
            let isValid = address.count > 2 && address.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
            return isValid ? (address, number) : nil
        }
        let isName = !host.isEmpty && host.utf8.allSatisfy { $0.isLetterOrDigit || ".-_".utf8.contains($0) }
        return isName ? (host, number) : nil
    }
}
