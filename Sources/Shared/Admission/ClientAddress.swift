package import Engine

extension Request {
    /// Returns the client's address: usually the other end of the connection.
    ///
    /// If that is a trusted proxy, the result is the last address in `X-Forwarded-For` that is not a trusted proxy's.
    package func clientAddress(trusting proxies: [Network]) -> PeerAddress {
        var address = peer
        guard !proxies.isEmpty, self[.xForwardedFor] != nil else { return address }
        let list = lines(of: .xForwardedFor).flatMap { $0.split(separator: UInt8(ascii: ",")) }
        for part in list.reversed() {
            guard proxies.contains(where: { $0.contains(address) }) else { return address }
            let text = UnsafeRawBufferPointer(rebasing: part).trimmed.text
            guard let next = PeerAddress(forwarded: text) else { return address }
            address = next
        }
        return address
    }
}

extension PeerAddress {
    /// Parses an address of `X-Forwarded-For`: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or
    /// `[2001:db8::1]:443`.
    fileprivate init?(forwarded text: String) {
        if let address = PeerAddress(text: text) {
            self = address
            return
        }
        if text.first == "[" {
            self.init(text: String(text.dropFirst().prefix { $0 != "]" }))
        } else {
            self.init(text: String(text.prefix { $0 != ":" }))
        }
    }

    /// The text that stands for this address as a caller: an IPv4 address, or the /64 network of an IPv6 address.
    package var callerText: String {
        if isVersionFour { return "4:\(low & 0xffff_ffff)" }
        return "6:\(high)"
    }
}
