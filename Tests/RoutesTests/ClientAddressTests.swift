import Shared
import Support
import Testing

@testable import Engine

/// Tests of the address that makes a caller, behind proxies that are trusted.
@Suite struct ClientAddressTests {
    private static let many = String(repeating: ",", count: 4_000)

    @Test(
        "the caller is the last address in X-Forwarded-For that is no trusted proxy's",
        arguments: [
            ([], "::1"), (["198.51.100.1"], "198.51.100.1"), (["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (["203.0.113.9,198.51.100.1,10.1.2.3"], "198.51.100.1"),
            (["198.51.100.1  ,\t10.1.2.3 , 2001:db8:ffff::1"], "198.51.100.1"),
            (["203.0.113.9", "198.51.100.1", "10.0.0.1", "10.0.0.2"], "198.51.100.1"),
            (["203.0.113.9, 198.51.100.1", "10.0.0.1"], "198.51.100.1"),
            (["10.0.0.1", "198.51.100.1"], "198.51.100.1"), (["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            (["2001:DB8:1:2:ffff::ffff"], "2001:db8:1:2::"), (["[2001:db8:1:2::3]"], "2001:db8:1:2::"),
            (["[2001:db8:1:2::3]:443"], "2001:db8:1:2::"), (["2001:db8:1:3::1"], "2001:db8:1:3::"),
            (["198.51.100.1:4711"], "198.51.100.1"), (["::ffff:198.51.100.1"], "198.51.100.1"),
            // Text that is no address ends the list, so that no text makes a caller.
            (["198.51.100.1, nonsense"], "::1"), (["nonsense, 198.51.100.1"], "198.51.100.1"), ([""], "::1"),
            ([", ,"], "::1"), ([many], "::1"), (["1.2.3"], "::1"), (["1.2.3.4.5"], "::1"), (["999.1.1.1"], "::1"),
            (["::::"], "::1"), (["[]"], "::1"), (["["], "::1"), ([":443"], "::1"), (["unknown"], "::1"),
            (["_hidden"], "::1"), (["-1"], "::1"), (["0x7f000001"], "::1"), (["\"198.51.100.1\""], "::1"),
            (["1.2.3.4 5.6.7.8"], "::1"),
        ] as [([String], String)]
    )
    func forwarded(lines: [String], address: String) async throws {
        let caller = try #require(PeerAddress(text: address)).callerText
        #expect(await Self.callers(lines) == [caller, try #require(PeerAddress(text: "::1")).callerText])
    }

    /// Returns the caller of a request from ::1, if that is a trusted proxy, and if only others are.
    private static func callers(_ lines: [String]) async -> [String] {
        await onLoop { loop in
            let settings = [("PROVIDERS", "e"), ("PROVIDER_E_KIND", "echo"), ("ANONYMOUS_MODELS", "all")]
            let host = RouterHost(settings, on: loop) { _, _ in LittleVendor() }
            defer { host.stop() }
            let request = host.request("{}", to: "/", lines.map { "X-Forwarded-For: \($0)\r\n" }.joined())
            let others = ["10.0.0.0/8", "2001:db8:ffff::/48"].compactMap { Network($0) }
            let own = Network("::1").map { [$0] } ?? []
            return [own + others, others].map { request.clientAddress(trusting: $0).callerText }
        }
    }
}
