import Engine
import Limits
import Testing

@testable import Shared

@Suite struct LimitSettingsTests {
    @Test("without any setting: 60 requests a minute in each group, wrong keys 20, counted in memory")
    func nothingSet() throws {
        let limits = try #require(outcome().settings).limits
        #expect(EndpointGroup.allCases.allSatisfy { limits.groups[$0] == [Quota(60, per: .minute)] })
        #expect(limits.identity == .key && limits.failedAuth == [Quota(20, per: .minute)])
        #expect(limits.store == .memory && limits.storeTimeout == .milliseconds(250) && limits.storeDown == .share)
        #expect(limits.byModel.isEmpty && limits.total.isEmpty)
        #expect(limits.instances == nil && limits.slotLease == .seconds(30))
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
        #expect(key.limits.all == [Quota(1_000, per: .hour)])
        #expect(key.limits.endpoints == [.chat: [], .audio: [Quota(1, per: .second)]])
    }

    @Test("all units, limits of models and of all together")
    func everyRow() throws {
        let outcome = outcome(
            file: """
                RATE_LIMIT=60/minute; 100000 tokens/minute; 2000 credits per day
                RATE_LIMIT_CHAT=3.50 usd/day;20000 tokens per 10 minutes
                RATE_LIMIT_IMAGES=10 images/hour
                RATE_LIMIT_TOTAL=1000/s;5000 usd/week
                RATE_LIMIT_BY_MODEL=gpt-4o-mini=off, gpt-4o*=10/minute;100/day,*=5000 tokens/minute
                RATE_LIMIT_STORE_DOWN=share
                RATE_LIMIT_INSTANCES=3
                SLOT_SECONDS=5
                PROVIDER_ONEMIN_KIND=onemin
                PROVIDER_ONEMIN_API_KEYS=v
                PROVIDER_ONEMIN_COST=0.001
                KEY_A_TOKEN=t
                KEY_A_RATE_LIMIT=500 credits/hour
                KEY_A_RATE_LIMIT_CHAT=0.000000001 usd/week
                """
        )
        #expect(outcome.problemTexts == [])
        let settings = try #require(outcome.settings)
        let limits = settings.limits
        #expect(
            limits.groups[.files] == [
                Quota(60, per: .minute), Quota(100_000, .tokens, per: .minute), Quota(2_000, .credits, per: .day),
            ]
        )
        #expect(
            limits.groups[.chat] == [
                Quota(3_500_000_000, .usd, per: .day), Quota(20_000, .tokens, per: .minute, times: 10),
            ]
        )
        #expect(limits.groups[.images] == [Quota(10, .images, per: .hour)])
        #expect(limits.total == [Quota(1_000, per: .second), Quota(5_000_000_000_000, .usd, per: .week)])
        #expect(
            limits.byModel == [
                ModelQuotas(pattern: .exactly("gpt-4o-mini"), quotas: []),
                ModelQuotas(pattern: .beginning("gpt-4o"), quotas: [Quota(10, per: .minute), Quota(100, per: .day)]),
                ModelQuotas(pattern: .all, quotas: [Quota(5_000, .tokens, per: .minute)]),
            ]
        )
        #expect(limits.storeDown == .share && limits.instances == 3 && limits.slotLease == .seconds(5))
        #expect(settings.keys[0].limits.all == [Quota(500, .credits, per: .hour)])
        #expect(settings.keys[0].limits.endpoints == [.chat: [Quota(1, .usd, per: .week)]])
    }

    @Test("prices, and where none is known")
    func prices() throws {
        func price(_ cost: String) throws -> Price? {
            let file = "PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=all\n" + cost
            return try #require(outcome(file: file).settings).providers[0].prices.common
        }
        #expect(
            try price("PROVIDER_E_COST=0.002") == Price(promptPicodollars: 2_000_000, completionPicodollars: 2_000_000)
        )
        #expect(
            try price("PROVIDER_E_COST=0.001 / 0.000000004")
                == Price(promptPicodollars: 1_000_000, completionPicodollars: 4)
        )
        #expect(
            try price("PROVIDER_E_COST=0/1000") == Price(promptPicodollars: 0, completionPicodollars: 1_000_000_000_000)
        )
        #expect(try price("PROVIDER_E_COST=0") == .free && price("PROVIDER_E_COST=free") == .free)
        #expect(try price("") == nil)
    }

    @Test("models are named whose prices the vendor's list should have, but lacks")
    func unlisted() throws {
        let lines = ["KIND=openai", "BASE_URL=https://host/v1", "API_KEY=key-of-a", "COST=list", "COSTS=c=free"]
        var listed = ListedPrice()
        (listed[.prompt], listed[.completion]) = ("0.000001", "0.000002")
        for (models, names) in [("x=a,b,c,d", ["b", "d"]), ("x=a,*", ["b"]), ("a,c", [])] {
            let file = (lines + ["MODELS=\(models)"]).map { "PROVIDER_A_\($0)\n" }.joined()
            let settings = try #require(outcome(file: file + "KEY_T_TOKEN=sk-of-the-team-1\n").settings)
            let prices = ["a": listed, "b": ListedPrice(), "c": ListedPrice()]
            #expect(settings.providers[0].namesWithoutPrice(in: prices).sorted() == names)
        }
    }

    @Test(
        "prices that look like those of a million tokens, and models without a price, are warnings",
        arguments: [
            (
                "COST=2.50/10", [],
                "PROVIDER_A_COST: 2.50/10 is 2500/10000 dollars for a million tokens; if the vendor lists"
            ),
            ("COSTS=b=0.01,a=0.01/2", [], "PROVIDER_A_COSTS: 0.01/2 is 10/2000 dollars"),
            ("COST=0.11 over 9 0.01", [], "write `0.11 per million`, and if it is meant so, `0.11 per 1000`"),
            ("COST=0.0000001/0.0000004", [], "if 0.0000001/0.0000004 is for one token, write `0.1/0.4 per million`"),
            ("COST=0.11 per 1000", [], nil), ("COST=0.1/0.00001", [], nil), ("COST=2.50/10 per million", [], nil),
            ("COST=0.01", ["RATE_LIMIT=5 usd/day"], nil),
            (
                "COSTS=a=0.01", ["RATE_LIMIT=5 usd/day"],
                "PROVIDER_A_MODELS: \"b\" has no price, so limits in usd do not count it"
            ),
            (
                "COSTS=c=0.01", ["RATE_LIMIT=5 usd/day"],
                "PROVIDER_A_MODELS: \"a\" has no price, like 1 others of this provider,"
            ),
            ("COSTS=a=0.01", ["KEY_T_RATE_LIMIT_CHAT=5 usd/day"], "PROVIDER_A_MODELS: \"b\" has no price"),
            ("COSTS=a=0.01", ["KEY_T_RATE_LIMIT=5 usd/day", "KEY_T_MODELS=a,c"], nil),
            (
                "COSTS=a=0.01", ["KEY_T_RATE_LIMIT=5 usd/day", "KEY_T_MODELS=a,c", "FALLBACK_MODEL=b"],
                "PROVIDER_A_MODELS: \"b\" has no price"
            ),
            (
                "COSTS=a=0.01",
                [
                    "KEY_T_RATE_LIMIT=5 usd/day", "KEY_T_MODELS=q", "PANEL_Q_MODELS=p", "PANEL_Q_SUMMARY_MODEL=c",
                    "PANEL_P_MODELS=a/b", "PANEL_P_SUMMARY_MODEL=a",
                ], "PROVIDER_A_MODELS: \"b\" has no price"
            ),
            (
                "COSTS=a=0.01",
                [
                    "KEY_T_RATE_LIMIT=5 usd/day", "KEY_T_MODELS=a", "PANEL_P_MODELS=b", "PANEL_P_SUMMARY_MODEL=a",
                ], nil
            ),
            (
                "COST=each 0.04", ["RATE_LIMIT=5 usd/day"],
                "PROVIDER_A_COST: \"each 0.04\" is no price of tokens, so limits in usd count neither chats nor embeddings"
            ),
            ("COST=0.01 each 0.04", ["RATE_LIMIT=5 usd/day"], nil), ("COST=each 0.04", [], nil),
            ("COST=reported each 0.04", ["RATE_LIMIT=5 usd/day"], nil),
            ("COSTS=a=each 0.04,b=each minute 0.006", ["RATE_LIMIT=5 usd/day"], nil),
            ("COSTS=a=0.01,b=free", ["RATE_LIMIT_TOTAL=5 usd/day"], nil),
            (
                "COSTS=a=0.01,b=reported", ["RATE_LIMIT_TOTAL=5 usd/day"],
                "PROVIDER_A_COSTS: \"reported\" alone is no price, so limits in usd reserve nothing"
            ),
            ("COST=reported", ["RATE_LIMIT=5 usd/day"], "PROVIDER_A_COST: \"reported\" alone is no price"),
            ("COST=reported", [], nil), ("COST=reported 0.001", ["RATE_LIMIT=5 usd/day"], nil),
            ("COSTS=a=0.01", [], nil),
        ] as [(String, [String], String?)]
    )
    func unpriced(price: String, more: [String], warning: String?) {
        let provider = ["KIND=openai", "BASE_URL=https://host/v1", "API_KEY=key-of-a", "MODELS=a,b,c", price]
        let lines = provider.map { "PROVIDER_A_\($0)" } + ["KEY_T_TOKEN=sk-of-the-team-1", "DATA_DIR=/data"] + more
        let priced =
            price.hasPrefix("COSTS=") && !price.contains("c=0.01")
            ? lines.map { $0 == "PROVIDER_A_\(price)" ? $0 + ",c=0.01" : $0 } : lines
        let outcome = outcome(file: priced.joined(separator: "\n") + "\n")
        #expect(outcome.problemTexts == [])
        let texts = outcome.warningTexts
        #expect(texts.count == (warning == nil ? 0 : 1) && texts.first?.contains(warning ?? "") ?? true, "\(texts)")
    }

    @Test(
        "a whole list without a price is a warning if a caller has a limit in dollars",
        arguments: ["", "list", "free", "0.1"]
    )
    func unpricedList(price: String) {
        let cost = price.isEmpty ? "PROVIDER_A_COSTS=a=0.01" : "PROVIDER_A_COST=\(price)"
        let outcome = outcome(
            file: """
                PROVIDER_A_KIND=openai\nPROVIDER_A_BASE_URL=https://host/v1\nPROVIDER_A_API_KEY=key-of-a
                PROVIDER_A_MODELS=*,a\nKEY_T_TOKEN=sk-of-the-team-1\nDATA_DIR=/data\nKEY_T_RATE_LIMIT=5 usd/day\n\(cost)

                """
        )
        let texts = outcome.warningTexts + outcome.problemTexts.filter { !$0.contains("no provider has a price") }
        let expected = "PROVIDER_A_MODELS: models without a price are served"
        #expect(price.isEmpty ? texts.count == 1 && texts[0].contains(expected) : texts == [], "\(texts)")
    }

    @Test("a place of a user's id is a field or the name of a header")
    func userPlaces() throws {
        let begin = "PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=echo\nRATE_LIMIT_USER=2/hour\nRATE_LIMIT_USER_FROM="
        let named = try #require(outcome(file: begin + "X-User-Id,user").settings)
        #expect(named.limits.userPlaces == [.header("x-user-id"), .user])
        #expect(
            outcome(file: begin + "metadata.user").problemTexts.contains {
                $0.contains("\"metadata.user\" is no place")
            }
        )
    }

    @Test(
        "what would limit nothing, or everything, is a warning",
        arguments: [
            ("RATE_LIMIT_AUDIO=5 images/day", "RATE_LIMIT_AUDIO: audio requests use no images"),
            ("RATE_LIMIT_IMAGES=5000 tokens/day", "RATE_LIMIT_IMAGES: images requests use no tokens"),
            ("PROVIDER_O_KIND=onemin\nRATE_LIMIT_AUDIO=5000 tokens/day", nil),
            (
                "PROVIDER_O_KIND=onemin\nPROVIDER_O_COST=0.001/0.004\nRATE_LIMIT_IMAGES=5 usd/day",
                "RATE_LIMIT_IMAGES: images requests use no usd"
            ),
            ("PROVIDER_O_KIND=onemin\nPROVIDER_O_CREDIT_COST=0.001\nRATE_LIMIT_IMAGES=5 usd/day", nil),
            ("PROVIDER_O_KIND=onemin\nPROVIDER_O_COST=0.001 each 0.04\nRATE_LIMIT_IMAGES=5 usd/day", nil),
            ("RATE_LIMIT_MODELS=5000 tokens/day", "RATE_LIMIT_MODELS: models requests use no tokens"),
            (
                "PROVIDER_O_KIND=onemin\nRATE_LIMIT=99 credits/day",
                "RATE_LIMIT: 99 per day: the first request to a model without a listed price is too large"
            ),
            ("ONE_MIN_LINKS=off", "ONE_MIN_LINKS: has no effect without a provider of the kind onemin"),
            ("PERMIT_MODELS_FROM_SUBSET_ONLY=true", "PERMIT_MODELS_FROM_SUBSET_ONLY: has no effect without a provider"),
            ("MODEL_REPLACEMENTS=echo:echo", "MODEL_REPLACEMENTS: \"echo:echo\" has no effect"),
            ("MEMCACHED_HOST=off", "MEMCACHED_HOST: is the name of a host; for no memcached, remove this line"),
            (
                "CACHE=true\nCACHE_STORE=memcached\nMEMCACHED_HOST=cache\nCACHE_MAX_ENTRIES=5",
                "CACHE_MAX_ENTRIES: has no effect with CACHE_STORE=memcached"
            ),
            ("RATE_LIMIT_BY_MODEL=nobody*=1/s", "RATE_LIMIT_BY_MODEL: \"nobody*\" matches no model"),
            ("RATE_LIMIT_BY_MODEL=*=1/s,echo=2/s", "RATE_LIMIT_BY_MODEL: \"echo\" has no effect"),
            (
                "MEMCACHED_HOST=cache\nRATE_LIMIT_STORE_DOWN=local\nRATE_LIMIT_INSTANCES=3",
                "RATE_LIMIT_INSTANCES: has no effect without RATE_LIMIT_STORE_DOWN=share"
            ),
            ("FALLBACK=false\nFALLBACK_ATTEMPTS=3", "FALLBACK_ATTEMPTS: has no effect without FALLBACK=true"),
            ("FALLBACK=true\nFALLBACK_ATTEMPTS=3", nil),
            (
                "PROVIDER_E_TOTAL_TIMEOUT=10\nPROVIDER_E_TIMEOUT=30\nPROVIDER_E_IDLE_TIMEOUT=9",
                "PROVIDER_E_TIMEOUT: has no effect, because it is longer than PROVIDER_E_TOTAL_TIMEOUT, 10"
            ),
            ("USAGE_USERS=digest", nil),
            ("USAGE_DATA_DAYS=30", "USAGE_DATA_DAYS: sums of a month, as of keys, lack older records"),
            ("USAGE_DATA_DAYS=31", nil),
            ("RATE_LIMIT_USER_FROM=user", "RATE_LIMIT_USER_FROM: has no effect without a limit of end users"),
            ("RATE_LIMIT_USER_FROM=user\nRATE_LIMIT_USER=off", "RATE_LIMIT_USER_FROM: has no effect without a limit"),
        ] as [(String, String?)]
    )
    func useless(file: String, warning: String?) {
        let outcome = outcome(file: "PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=echo\nDATA_DIR=/data\n" + file)
        #expect(outcome.problemTexts == [])
        let texts = outcome.warningTexts
        #expect(texts.count == (warning == nil ? 0 : 1), "\(texts)")
        if let warning { #expect(texts.first?.contains("  \(warning)") ?? false, "\(texts)") }
    }

    @Test(
        "windows of an hour or more that a restart begins anew are one warning",
        arguments: [
            (
                "RATE_LIMIT=60/minute;2000/day",
                "RATE_LIMIT: windows of an hour or more are counted in this process alone"
            ),
            (
                "RATE_LIMIT_TOTAL=5/2 hours\nKEY_A_TOKEN=sk-relay-for-tests-0001\nKEY_A_RATE_LIMIT=3/week",
                "RATE_LIMIT_TOTAL: windows of an hour or more, here and in KEY_A_RATE_LIMIT, are counted in this process"
            ),
            ("RATE_LIMIT=60/minute;100/59 minutes", nil),
            ("RATE_LIMIT=2000/day\nDATA_DIR=/data", nil),
            ("RATE_LIMIT=2000/day\nMEMCACHED_HOST=auto", nil),
        ] as [(String, String?)]
    )
    func restarts(file: String, warning: String?) {
        let outcome = outcome(file: "PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=echo\n" + file)
        #expect(outcome.problemTexts == [])
        let texts = outcome.warningTexts
        #expect(texts.count == (warning == nil ? 0 : 1), "\(texts)")
        if let warning { #expect(texts.first?.contains("  \(warning)") ?? false, "\(texts)") }
    }

    @Test(
        "limits of a unit that nothing costs are problems",
        arguments: [
            (
                "RATE_LIMIT=1 usd/day",
                "RATE_LIMIT: no provider has a price, so no request costs usd; set PROVIDER_E_COST="
            ),
            ("KEY_A_TOKEN=t\nKEY_A_RATE_LIMIT_CHAT=1 usd/day", "KEY_A_RATE_LIMIT_CHAT: no provider has a price"),
            (
                "RATE_LIMIT_TOTAL=9000 credits/day",
                "RATE_LIMIT_TOTAL: no provider is of the kind onemin, so no request costs credits"
            ),
            ("RATE_LIMIT=1 usd/day\nPROVIDER_E_COST=0,1", "PROVIDER_E_COST: \"0,1\" is not a price"),
        ]
    )
    func costless(file: String, problem: String) {
        let texts = outcome(file: "PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=echo\n" + file).problemTexts
        #expect(texts.count == 1 && texts[0].contains("  \(problem)"), "\(texts)")
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
            ([("MEMCACHED_HOST", "Auto"), ("MEMCACHED_PORT", "tcp://10.0.0.1:7")], .search(port: 7)),
            ([], .memory),
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
                ".env:1  RATE_LIMIT: \"60/fortnight\" is not off or limits such as 60/minute;2000/day: the window must be"
            ),
            (
                "RATE_LIMIT_FAILED_AUTH=5 tokens/s",
                ".env:1  RATE_LIMIT_FAILED_AUTH: this setting can only limit requests"
            ),
            ("RATE_LIMIT=0 tokens/s", ".env:1  RATE_LIMIT: \"0 tokens/s\" is not off or limits"),
            ("RATE_LIMIT=1.5 tokens/s", ".env:1  RATE_LIMIT: \"1.5 tokens/s\" is not off or limits"),
            (
                "RATE_LIMIT_BY_MODEL=gpt*=1/s,o3=5/fortnight",
                """
                .env:1  RATE_LIMIT_BY_MODEL: "gpt*=1/s,o3=5/fortnight" is not off or limits of models such as \
                gpt-4o*=10/minute;100/day,o3-mini=5/minute: in the pattern o3: the window must be
                """
            ),
            (
                "PROVIDER_A_KIND=echo\nANONYMOUS_MODELS=*\nPROVIDER_A_FEES=web_search=0.01,web_search=0.02",
                """
                .env:3  PROVIDER_A_FEES: "web_search=0.01,web_search=0.02" is not a list of tool=dollars, each tool once
                """
            ),
            ("RATE_LIMIT_INSTANCES=0", ".env:1  RATE_LIMIT_INSTANCES: \"0\" is not a number from 1 to 100000"),
            ("SLOT_SECONDS=4", ".env:1  SLOT_SECONDS: \"4\" is not a time from 5s to 1h"),
            ("MEMCACHED_HOST=a\nMEMCACHED_SERVERS=b", ".env:1  MEMCACHED_HOST: MEMCACHED_SERVERS is also set (.env:2)"),
            (
                "MEMCACHED_HOST=memcached:11212",
                """
                .env:1  MEMCACHED_HOST: "memcached:11212" is not the name or address of a host: set the port \
                separately: MEMCACHED_HOST=memcached and MEMCACHED_PORT=11212, or MEMCACHED_SERVERS=memcached:11212
                """
            ),
            (
                "MEMCACHED_HOST=[::1]:7",
                """
                .env:1  MEMCACHED_HOST: "[::1]:7" is not the name or address of a host: set the port separately: \
                MEMCACHED_HOST=::1 and MEMCACHED_PORT=7, or MEMCACHED_SERVERS=[::1]:7
                """
            ),
            (
                "MEMCACHED_HOST=memcached:x",
                ".env:1  MEMCACHED_HOST: \"memcached:x\" is not the name or address of a host"
            ),
            ("RATE_LIMIT_CAHT=1/s", ".env:1  RATE_LIMIT_CAHT: unknown variable; did you mean RATE_LIMIT_CHAT?"),
            (
                "KEY_A_RATE_LIMIT_CHAT=1/s",
                ".env:1  KEY_A_RATE_LIMIT_CHAT: KEY_A_TOKEN is not set; set it, or remove this line"
            ),
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
            ("::/0", "10.0.0.1", false), ("::/0", "::ffff:10.0.0.1", false), ("::/64", "10.0.0.1", false),
            ("::ffff:0:0/95", "10.0.0.1", false), ("::ffff:0:0/96", "10.0.0.1", true), ("::/0", "::1", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::/96", "::10.0.0.1", true),
            ("192.168.1.0/31", "192.168.1.1", true), ("192.168.1.0/31", "192.168.1.2", false),
        ]
    )
    func networks(network: String, address: String, isInside: Bool) throws {
        let address = try #require(PeerAddress(text: address))
        #expect(try #require(Network(network)).contains(address) == isInside)
    }
}
