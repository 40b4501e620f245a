import Glibc

/// A range of IP addresses, such as `10.0.0.0/8`, or a single address. A range contains either IPv4 or IPv6 addresses.
package struct Network: Sendable, Equatable {
    private let high: UInt64
    private let low: UInt64
    private let highMask: UInt64
    private let lowMask: UInt64
    private let holdsVersionFour: Bool

    /// Parses a network, such as `10.0.0.0/8`. Returns nil if the text is invalid. Ignores the bits beyond the prefix.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = PeerAddress(text: String(parts[0])) else { return nil }
        let isVersionFour = !parts[0].contains(":")
        let width = isVersionFour ? 32 : 128
        var bits = width
        if parts.count == 2 {
            let digits = parts[1].utf8
            guard (1...3).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
            guard let number = Int(parts[1]), number <= width else { return nil }
            bits = number
        }
        if isVersionFour { bits += 96 }
        highMask = Self.mask(min(bits, 64))
        lowMask = Self.mask(max(bits - 64, 0))
        high = address.high & highMask
        low = address.low & lowMask
        holdsVersionFour = address.isVersionFour && bits >= 96
    }

    package func contains(_ address: PeerAddress) -> Bool {
        address.isVersionFour == holdsVersionFour && address.high & highMask == high && address.low & lowMask == low
    }

    /// Returns a 64-bit mask whose highest `bits` bits are 1.
    private static func mask(_ bits: Int) -> UInt64 { bits == 0 ? 0 : UInt64.max << UInt64(64 - bits) }
}

extension PeerAddress {
    /// Parses an address. Returns nil if the text is neither an IPv4 nor an IPv6 address.
    package init?(text: String) {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(high: 0, low: 0xffff_0000_0000 | UInt64(four.s_addr.bigEndian))
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        self = withUnsafeBytes(of: six) { bytes in
            PeerAddress(
                high: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).bigEndian,
                low: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian
            )
        }
    }
}
