import Testing

@testable import Engine

@Suite struct AddressRuleTests {
    private func address(_ text: String) throws -> PeerAddress { try #require(PeerAddress(text: text)) }

    @Test(
        "what is not reachable in the whole internet is refused, at its first and last address",
        arguments: [
            "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.0",
            "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255",
            "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1",
            "192.168.0.0", "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1",
            "203.0.113.1", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255", "168.63.129.16",
            "100.100.100.200", "::", "::1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
            "2001::1", "2001:1ff::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
            "2002:808:808::", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "fc00::1",
            "fd00:ec2::254",
            "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
        ]
    )
    func refuses(text: String) throws {
        for port in [80, 443] as [UInt16] { #expect(!AddressRule().permits(try address(text), port: port)) }
    }

    @Test(
        "the neighbours of what is refused, and others",
        arguments: [
            "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
            "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
            "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "8.8.8.8",
            "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1", "2620:4f:8001::1", "3ffe::1", "2000::1",
        ]
    )
    func permits(text: String) throws {
        for port in [80, 443, 8_080, 8_443] as [UInt16] {
            #expect(AddressRule().permits(try address(text), port: port))
        }
        for port in [0, 22, 25, 6_379, 8_081, 11_211, 65_535] as [UInt16] {
            #expect(!AddressRule().permits(try address(text), port: port))
        }
    }

    @Test("an added network is allowed at all ports, and nothing beside it")
    func added() throws {
        let networks = ["10.1.0.0/16", "fd00:1::/32"].compactMap { Network($0) }
        let rule = AddressRule(adding: networks)
        for text in ["10.1.0.0", "10.1.255.255", "fd00:1::5"] { #expect(rule.permits(try address(text), port: 9_000)) }
        for text in ["10.0.255.255", "10.2.0.0", "fd00:2::5", "127.0.0.1", "::a01:0"] {
            #expect(!rule.permits(try address(text), port: 443))
        }
        let all = AddressRule(adding: [try #require(Network("::/0"))])
        #expect(all.permits(try address("fd00::1"), port: 9_000))
        for text in ["127.0.0.1", "::ffff:10.0.0.1"] { #expect(!all.permits(try address(text), port: 443)) }
        let server = try address("8.8.8.8")
        #expect(rule.permits(server, port: 443) && !rule.permits(server, port: 9_000))
    }
}
