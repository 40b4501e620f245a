/// The address of one memcached server: `host:port`, `[v6]:port`, or a host alone.
package struct MemcachedAddress: Sendable, Hashable {
    package let host: String
    package let port: UInt16
    package static let defaultPort: UInt16 = 11_211

    package init(host: String, port: UInt16 = defaultPort) {
        self.host = host
        self.port = port
    }

    package init?(_ text: String) {
        var host = text[...]
        var port = ""[...]
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            if !rest.isEmpty {
                port = rest.dropFirst()
                guard !port.isEmpty else { return nil }
            }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !port.isEmpty else { return nil }
        }
        let isPlain = host.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") }
        guard !host.isEmpty, host.utf8.count < 256, isPlain, port.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        self.host = String(host)
        guard !port.isEmpty else {
            self.port = Self.defaultPort
            return
        }
        guard let number = UInt16(port), number > 0 else { return nil }
        self.port = number
    }

    package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
