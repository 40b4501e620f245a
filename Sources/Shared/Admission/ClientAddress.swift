package import Engine

extension Request {
    /// The client's address: the connection's peer, or, if that is a trusted proxy, the rightmost address of
    /// `X-Forwarded-For` that is not an address.
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
    /// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`.
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

    /// The text that counts as one caller: an address of version 4, a /64 of version 6.
    package var callerText: String {
        if isVersionFour { return "4:\(low & 0xffff_ffff)" }
        return "6:\(high)"
    }
}
