/// The rule for the addresses to which the relay may connect for a caller's URL. It allows public addresses at the
/// usual web ports, and all addresses of the networks that the operator adds.
package struct AddressRule: Sendable {
    private let added: [Network]

    /// Creates a rule that always allows these networks too, at all ports.
    package init(adding added: [Network] = []) { self.added = added }

    package func permits(_ address: PeerAddress, port: UInt16) -> Bool {
        if added.contains(where: { $0.contains(address) }) { return true }
        return Self.ports.contains(port) && address.isGlobal
    }

    private static let ports: Set<UInt16> = [80, 443, 8_080, 8_443]
}

extension PeerAddress {
    fileprivate var isGlobal: Bool {
        if isVersionFour { return !Self.specialOfVersionFour.contains { $0.contains(self) } }
        return Self.unicastOfVersionSix.contains(self) && !Self.specialOfVersionSix.contains { $0.contains(self) }
    }

    private static let specialOfVersionFour = networks(
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        // Multicast and reserved addresses.
        "224.0.0.0/3",
        // Public in form, but a service inside Microsoft's cloud.
        "168.63.129.16/32"
    )

    /// The range of the public IPv6 addresses. It does not contain `::ffff:0:0/96` and `64:ff9b::/96`, the IPv6
    /// forms of IPv4 addresses.
    private static let unicastOfVersionSix = network("2000::/3")

    private static let specialOfVersionSix = networks(
        // Protocol assignments, including Teredo.
        "2001::/23",
        "2001:db8::/32",
        // 6to4: leads to an IPv4 address.
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20"
    )

    private static func networks(_ texts: String...) -> [Network] { texts.map(network) }

    private static func network(_ text: String) -> Network {
        guard let network = Network(text) else { preconditionFailure("\(text) is not a network") }
        return network
    }
}
