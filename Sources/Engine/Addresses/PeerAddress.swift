import Glibc

/// An IP address. An IPv4 address is stored in its IPv6 form, such as `::ffff:10.0.0.1`.
package struct PeerAddress: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Whether the address is an IPv4 address, such as `10.0.0.1` or `::ffff:10.0.0.1`.
    package var isVersionFour: Bool { high == 0 && low >> 32 == 0xffff }

    /// Whether the address is a loopback address, which leads to this machine.
    package var isLoopback: Bool { isVersionFour ? low >> 24 & 0xff == 127 : high == 0 && low == 1 }

    /// The address as text, such as `192.0.2.1` or `2001:db8::1`.
    package var text: String {
        var bytes = [high.bigEndian, low.bigEndian].withUnsafeBytes(Array.init)
        if isVersionFour { bytes = Array(bytes.suffix(4)) }
        var room = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(isVersionFour ? AF_INET : AF_INET6, bytes, &room, socklen_t(room.count))
        return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    init(_ storage: sockaddr_storage) {
        let isVersionFour = Int32(storage.ss_family) == AF_INET
        self = withUnsafeBytes(of: storage) { bytes in
            if isVersionFour {
                let address = bytes.load(fromByteOffset: 4, as: UInt32.self).bigEndian
                return PeerAddress(high: 0, low: 0xffff_0000_0000 | UInt64(address))
            }
            return PeerAddress(
                high: bytes.load(fromByteOffset: 8, as: UInt64.self).bigEndian,
                low: bytes.load(fromByteOffset: 16, as: UInt64.self).bigEndian
            )
        }
    }
}
