import Engine
import Testing

@testable import Shared

@Suite struct LimitSettingsTests {
    @Test("without any setting: 60 requests a minute in each group, wrong keys 20, counted in memory")
    func nothingSet() throws {
        let limits = try #require(outcome().settings).limits
        #expect(EndpointGroup.allCases.allSatisfy { limits.groups[$0] == [Quota(60, per: .minute)] })
        #expect(limits.identity == .key && limits.failedAuth == [Quota(20, per: .minute)])
        #expect(limits.store == .memory && limits.storeTimeout == .milliseconds(250) && limits.storeDown == .local)
        #expect(limits.trustedProxies.isEmpty)
    }

    @Test("a group's limits stand in place of all callers', a key's in place of both")
    func inPlaceOf() throws {
        let outcome = outcome(
            file: """
                RATE_LIMIT=5/s
                RATE_LIMIT_CHAT=60/minute;2000/day
                RATE_LIMIT_IMAGES=off
                RATE_LIMIT_FAILED_AUTH=off
                RATE_LIMIT_BY=KEY+IP
                RATE_LIMIT_STORE_DOWN=deny
                TRUSTED_PROXIES=10.0.0.0/8, ::1
                ONE_MIN_API_KEYS=v
                KEY_A_TOKEN=t
                KEY_A_RATE_LIMIT=1000/hour
                KEY_A_RATE_LIMIT_CHAT=off
                KEY_A_RATE_LIMIT_AUDIO=1/s
                """
        )
        #expect(outcome.problemTexts == [])
        let settings = try #require(outcome.settings)
        let limits = settings.limits
        #expect(limits.groups[.chat] == [Quota(60, per: .minute), Quota(2_000, per: .day)])
        #expect(limits.groups[.images] == [] && limits.groups[.files] == [Quota(5, per: .second)])
        #expect(limits.failedAuth == [] && limits.identity == .keyAndAddress && limits.storeDown == .deny)
        #expect(limits.trustedProxies.count == 2)
        let key = try #require(settings.keys.first)
        #expect(key.quotas == [Quota(1_000, per: .hour)])
        #expect(key.groupQuotas == [.chat: [], .audio: [Quota(1, per: .second)]])
    }

    @Test(
        "where limits are counted",
        arguments: [
            ([("MEMCACHED_HOST", "cache")], .servers([MemcachedAddress(host: "cache", port: 11_211)])),
            (
                [("MEMCACHED_HOST", "cache"), ("MEMCACHED_PORT", "7")],
                .servers([MemcachedAddress(host: "cache", port: 7)])
            ),
            (
                [("MEMCACHED_HOST", "::1"), ("MEMCACHED_PORT", "tcp://10.0.0.1:22122")],
                .servers([MemcachedAddress(host: "::1", port: 22_122)])
            ),
            ([("MEMCACHED_HOST", "auto")], .search(port: 11_211)),
            ([("MEMCACHED_PORT", "tcp://10.0.0.1:11211"), ("MEMCACHED_PORT_11211_TCP", "x")], .memory),
            (
                [("MEMCACHED_SERVERS", "a:1, [::1]:2,c")],
                .servers([
                    MemcachedAddress(host: "a", port: 1), MemcachedAddress(host: "::1", port: 2),
                    MemcachedAddress(host: "c", port: 11_211),
                ])
            ),
        ] as [([(String, String)], LimitSettings.Store)]
    )
    func stores(environment: [(String, String)], store: LimitSettings.Store) throws {
        let outcome = outcome(environment: environment)
        #expect(outcome.problemTexts == [] && outcome.warningTexts == [])
        #expect(try #require(outcome.settings).limits.store == store)
    }

    @Test(
        "mistakes say what is wrong",
        arguments: [
            (
                "RATE_LIMIT=60/fortnight",
                ".env:1  RATE_LIMIT: \"60/fortnight\" is not off or limits such as 60/minute;2000/day: the window is"
            ),
            ("RATE_LIMIT_FAILED_AUTH=5 tokens/s", ".env:1  RATE_LIMIT_FAILED_AUTH: \"5 tokens/s\""),
            ("MEMCACHED_HOST=a\nMEMCACHED_SERVERS=b", ".env:1  MEMCACHED_HOST: MEMCACHED_SERVERS is set too (.env:2)"),
            ("RATE_LIMIT_CAHT=1/s", ".env:1  RATE_LIMIT_CAHT: unknown variable; did you mean RATE_LIMIT_CHAT?"),
            ("KEY_A_RATE_LIMIT_CHAT=1/s", ".env:1  KEY_A_RATE_LIMIT_CHAT: KEY_A_TOKEN is not set"),
        ]
    )
    func mistakes(file: String, problem: String) {
        let texts = outcome(file: file).problemTexts
        #expect(texts.count == 1 && texts[0].hasPrefix(problem), "\(texts)")
    }

    @Test(
        "networks and what they hold",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "2001:db8::1", true), ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false), ("10.1.2.3/9", "10.99.0.0", true),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false), ("fd00::/65", "fd00::7fff:0:0:1", true),
            ("fd00::/65", "fd00::8000:0:0:1", false), ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("192.168.1.0/31", "192.168.1.1", true), ("192.168.1.0/31", "192.168.1.2", false),
        ]
    )
    func networks(network: String, address: String, isInside: Bool) throws {
        let address = try #require(PeerAddress(text: address))
        #expect(try #require(Network(network)).contains(address) == isInside)
    }
}
