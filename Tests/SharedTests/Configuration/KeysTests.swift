import Engine
import Testing

@testable import Shared

/// Tests of the permissions of callers, as settings define them.
@Suite struct KeysTests {
    private static let advice = "`openssl rand -hex 24` makes a secure value"
    private static let keys = [("ONE_MIN_API_KEYS", "vendor-key-1, vendor-key-2")]

    private static let signed = """
        KEY_A_JWT_ISSUER=https://id.example
        KEY_A_JWT_AUDIENCE=relay
        FILE_ID_SECRET=0123456789-0123456789
        ONE_MIN_API_KEYS=v

        """

    @Test(
        "callers whose signed tokens differ are told apart",
        arguments: ["KEY_A_JWT_WHERE=groups=b", "KEY_B_JWT_CLAIM=email", "KEY_B_JWT_AUDIENCE=other"]
    )
    func families(difference: String) {
        let audience = difference.utf8.starts(with: "KEY_B_JWT_A".utf8) ? "" : "KEY_B_JWT_AUDIENCE=relay\n"
        let file =
            Self.signed + "KEY_B_JWT_ISSUER=https://id.example\n\(audience)KEY_B_JWT_WHERE=groups=a\n\(difference)"
        let outcome = outcome(file: file)
        #expect(outcome.problemTexts == [] && outcome.warningTexts == [])
    }

    @Test("known callers, by NAME, their tokens as digests only")
    func callers() throws {
        let outcome = outcome(
            environment: Self.keys + [("KEY_TEAM_A_TOKEN", "sk-team-a-0123456789"), ("KEY_B_MODELS", "gpt*,o3-mini")],
            file: "KEY_B_TOKEN_FILE=/b",
            files: ["/b": "sk-b-0123456789-new\nsk-b-0123456789-old\n"]
        )
        #expect(outcome.problemTexts == [])
        let settings = try #require(outcome.settings)
        #expect(settings.keys.map(\.name) == ["b", "team-a"])
        let digests = settings.keys.map { $0.tokens.map(\.digest) }
        #expect(
            digests == [
                [Digest(of: "sk-b-0123456789-new"), Digest(of: "sk-b-0123456789-old")],
                [Digest(of: "sk-team-a-0123456789")],
            ]
        )
        #expect(settings.keys.map(\.models) == [[.beginning("gpt"), .exactly("o3-mini")], [.all]])
        #expect(!"\(settings)".contains("sk-"))
    }

    @Test("the default provider holds the keys of ONE_MIN_API_KEYS")
    func ownKeys() throws {
        let settings = try #require(outcome(environment: Self.keys + [("ANONYMOUS_MODELS", "all")]).settings)
        let provider = try #require(settings.providers.first)
        #expect(!provider.isPassthrough && provider.apiKeys == ["vendor-key-1", "vendor-key-2"])
        #expect(provider.keyWeights == [1, 1])
    }

    @Test(
        "keys of a provider, and whether callers' own are passed on",
        arguments: [
            ([], true, [], []), ([("API_KEY", "a")], false, ["a"], [1]),
            ([("API_KEYS", "a,b\nc"), ("KEY_WEIGHTS", "1,2.5,3")], false, ["a", "b", "c"], [1, 2.5, 3]),
            ([("PASSTHROUGH", "true")], true, [], []), ([("API_KEY", "a"), ("PASSTHROUGH", "no")], false, ["a"], [1]),
        ] as [([(String, String)], Bool, [String], [Double])]
    )
    func providerKeys(fields: [(String, String)], isPassthrough: Bool, keys: [String], weights: [Double]) throws {
        let set = [("PROVIDER_V_KIND", "onemin"), ("ANONYMOUS_MODELS", "all")]
        let outcome = outcome(environment: set + fields.map { ("PROVIDER_V_\($0.0)", $0.1) })
        #expect(outcome.problemTexts == [])
        let provider = try #require(outcome.settings?.providers.first)
        #expect(provider.isPassthrough == isPassthrough && provider.apiKeys == keys && provider.keyWeights == weights)
    }

    @Test("a server of OpenAI's wire may want no key, and its provider holds credentials all the same")
    func keylessServer() throws {
        let set = [("PROVIDER_V_KIND", "openai"), ("PROVIDER_V_MODELS", "a=b/c:1"), ("ANONYMOUS_MODELS", "all")]
        let keyless = outcome(environment: set)
        #expect(keyless.problemTexts == [])
        let provider = try #require(keyless.settings?.providers.first)
        #expect(!provider.isPassthrough && provider.apiKeys.isEmpty && provider.headers.isEmpty)
        #expect(provider.baseURL == "https://api.openai.com/v1")
        #expect(provider.models == [ModelName(alias: "a", upstream: "b/c:1")])
        let closed = outcome(environment: Array(set.dropLast()))
        #expect(closed.problemTexts.first?.contains("nobody may use this provider") == true)
        let passing = outcome(environment: Array(set.dropLast()) + [("PROVIDER_V_PASSTHROUGH", "true")])
        #expect(passing.settings?.providers.first?.isPassthrough == true)
    }

    @Test("a server's models have to be named; its URL loses the path that calls add; its headers are lines")
    func server() throws {
        let set = [("PROVIDER_V_KIND", "openai"), ("ANONYMOUS_MODELS", "all")]
        #expect(
            outcome(environment: set).problemTexts == [
                """
                environment  PROVIDER_V_KIND: PROVIDER_V_MODELS must name the models of this provider, or be * for all \
                models on the vendor's list
                """
            ]
        )
        let more = [
            ("PROVIDER_V_MODELS", "m"), ("PROVIDER_V_BASE_URL", "https://host/api/v3/chat/completions"),
            ("PROVIDER_V_HEADERS", "X-Title: My app ; api-key:abc"),
        ]
        let provider = try #require(outcome(environment: set + more).settings?.providers.first)
        #expect(provider.baseURL == "https://host/api/v3")
        #expect(provider.headers == ["X-Title: My app", "api-key: abc"])
        let lines = outcome(environment: set + more.prefix(2) + [("PROVIDER_V_HEADERS", "A: b;c\nD: e")])
        #expect(lines.settings?.providers.first?.headers == ["A: b;c", "D: e"])
        let wrong = outcome(environment: [("PROVIDER_V_KIND", "onemin"), ("PROVIDER_V_HEADERS", "A: b")])
        #expect(
            wrong.problemTexts == [
                "environment  PROVIDER_V_HEADERS: the kind onemin does not support headers; remove this line"
            ]
        )
    }

    @Test("keys that are not used because callers' own are passed on: a warning")
    func unusedKeys() throws {
        let set = [("PROVIDER_V_KIND", "onemin"), ("PROVIDER_V_API_KEY", "a"), ("PROVIDER_V_PASSTHROUGH", "true")]
        let outcome = outcome(environment: set)
        #expect(outcome.problemTexts == [])
        #expect(
            outcome.warningTexts == [
                "environment  PROVIDER_V_API_KEY: is not used, because PROVIDER_V_PASSTHROUGH is true"
            ]
        )
        #expect(outcome.settings?.providers.first?.apiKeys == [])
    }

    @Test(
        "settings that contradict each other are one problem",
        arguments: [
            (
                "KEY_A_TOKEN=sk-1\nKEY_B_TOKEN=sk-1\nONE_MIN_API_KEYS=v",
                ".env:2  KEY_B_TOKEN: is the same as KEY_A_TOKEN (.env:1)"
            ),
            (
                "KEY_A_TOKEN=sk-1,sk-2\nKEY_B_TOKEN=sk-3,sk-2\nONE_MIN_API_KEYS=v",
                ".env:2  KEY_B_TOKEN: shares a token with KEY_A_TOKEN (.env:1)"
            ),
            ("KEY_A_TOKEN=sk-1,sk-2,sk-1\nONE_MIN_API_KEYS=v", ".env:1  KEY_A_TOKEN: contains the same token twice"),
            (
                "KEY_A_TOKEN=sk-1,v2\nONE_MIN_API_KEYS=v1,v2",
                ".env:1  KEY_A_TOKEN: is also a key of a provider; give callers different keys"
            ),
            (
                "FILE_ID_SECRET=fifteen-letters",
                ".env:1  FILE_ID_SECRET: a secret of fewer than 16 characters can be guessed; \(advice)"
            ),
            (
                "KEY_A_TOKEN=v2\nONE_MIN_API_KEYS=v1,v2",
                ".env:1  KEY_A_TOKEN: is also a key of a provider; give callers different keys"
            ),
            (
                "ONE_MIN_API_KEYS=v1",
                """
                .env:1  ONE_MIN_API_KEYS: nobody may use this provider; set KEY_<NAME>_TOKEN or ANONYMOUS_MODELS; \
                `relay key NAME` prints such a line with a new token
                """
            ),
            (
                "ONE_MIN_API_KEYS=v1\nANONYMOUS_MODELS=g*t",
                ".env:2  ANONYMOUS_MODELS: \"g*t\" is not a list of model names, prefix* or all, separated by commas"
            ),
            (
                "ONE_MIN_API_KEYS=v1\nKEY_A_TOKEN=a b",
                """
                .env:2  KEY_A_TOKEN: the value is not a list of keys, each of 1 to 512 visible ASCII characters: a key \
                contains a space; write a comma between two keys
                """
            ),
            (
                "ONE_MIN_API_KEYS=v1\nPROVIDER_V_KIND=onemin\nPROVIDER_V_API_KEYS=v2\nKEY_A_TOKEN=t",
                ".env:1  ONE_MIN_API_KEYS: is an older name of PROVIDER_V_API_KEYS, which is set, too; remove this line"
            ),
            ("KEY_A_MODELS=all", ".env:1  KEY_A_MODELS: KEY_A_TOKEN is not set; set it, or remove this line"),
            (
                "KEY_TEAM_TOKEN=a\nKEY_TAEM_MODELS=all",
                ".env:2  KEY_TAEM_MODELS: KEY_TAEM_TOKEN is not set; did you mean KEY_TEAM_MODELS?"
            ),
            (
                "PROVIDER_V_KIND=onemin\nPROVIDER_V_API_KEYS=a\nPROVIDER_V_API_KEY=b\nKEY_A_TOKEN=t",
                ".env:3  PROVIDER_V_API_KEY: PROVIDER_V_API_KEYS is also set (.env:2); remove one of them"
            ),
            (
                "PROVIDER_V_KIND=onemin\nPROVIDER_V_API_KEYS=a,b\nPROVIDER_V_KEY_WEIGHTS=1\nKEY_A_TOKEN=t",
                ".env:3  PROVIDER_V_KEY_WEIGHTS: 1 weight for 2 keys; write one weight for each key, or remove this line"
            ),
            (
                "PROVIDER_V_KIND=onemin\nPROVIDER_V_PASSTHROUGH=false\nKEY_A_TOKEN=t",
                ".env:2  PROVIDER_V_PASSTHROUGH: without it PROVIDER_V_API_KEYS must be set"
            ),
            (
                "PROVIDER_E_KIND=echo\nPROVIDER_E_API_KEY=a\nKEY_A_TOKEN=t",
                ".env:2  PROVIDER_E_API_KEY: the kind echo uses no network; remove this line"
            ),
            ("DEFAULT_MODEL=gtp-4o", ".env:1  DEFAULT_MODEL: no provider serves \"gtp-4o\"; did you mean \"gpt-4o\"?"),
            (
                "FALLBACK_MODEL=gtp-4o",
                ".env:1  FALLBACK_MODEL: no provider serves \"gtp-4o\"; did you mean \"gpt-4o\"?"
            ),
            (
                "GENERATE_MODEL=gtp-4o",
                ".env:1  GENERATE_MODEL: no provider serves \"gtp-4o\"; did you mean \"gpt-4o\"?"
            ),
            (
                "PROVIDER_A_KIND=echo\nPROVIDER_A_GENERATE_MODEL=b\nANONYMOUS_MODELS=all",
                ".env:2  PROVIDER_A_GENERATE_MODEL: the provider does not serve \"b\""
            ),
            (
                "PERMIT_MODELS_FROM_SUBSET_ONLY=true\nDEFAULT_MODEL=gpt-4.1",
                ".env:2  DEFAULT_MODEL: no provider serves \"gpt-4.1\""
            ),
            ("ONE_MIN_MODELS_REFRESH=5ms", ".env:1  ONE_MIN_MODELS_REFRESH: must be 0 or at least 1s"),
        ]
    )
    func contradictions(file: String, problem: String) {
        #expect(outcome(file: file).problemTexts == [problem])
    }

    @Test(
        "what may be meant otherwise is a warning",
        arguments: [
            (
                "KEY_A_TOKEN=sixteen-letters-\nKEY_A_MODELS=gpt-4o,glx*\nONE_MIN_API_KEYS=v",
                """
                .env:2  KEY_A_MODELS: "glx*" matches no model of a provider that holds credentials; `relay models` lists \
                the names
                """
            ),
            (
                "KEY_A_TOKEN=fifteen-letters\nONE_MIN_API_KEYS=v",
                ".env:1  KEY_A_TOKEN: a token of fewer than 16 characters can be guessed; \(advice)"
            ),
            (
                "METRICS_TOKEN=fifteen-letters",
                ".env:1  METRICS_TOKEN: a token of fewer than 16 characters can be guessed; \(advice)"
            ),
            (
                "KEY_A_TOKEN=sixteen-letters-,another-token-of-it\nONE_MIN_API_KEYS=v",
                """
                .env:1  KEY_A_TOKEN: without FILE_ID_SECRET file ids are encrypted with the first token and can be \
                read with any of them: an id becomes invalid when its token is removed from the list
                """
            ),
            (
                "KEY_A_TOKEN=sixteen-letters-\nKEY_A_MODELS=gpt-4o",
                """
                .env:1  KEY_A_TOKEN: no provider has a key of the relay's own, so this caller may use nothing; set \
                ONE_MIN_API_KEYS or PROVIDER_<NAME>_API_KEYS
                """
            ),
            (
                "ANONYMOUS_MODELS=gpt*",
                """
                .env:1  ANONYMOUS_MODELS: "gpt*" matches no model of a provider that holds credentials; `relay models` \
                lists the names
                """
            ),
            (
                "HOST=0.0.0.0\nONE_MIN_API_KEYS=v\nANONYMOUS_MODELS=gpt-4o",
                """
                .env:3  ANONYMOUS_MODELS: everybody who reaches 0.0.0.0:5001 may use ONE_MIN_API_KEYS without a key; set \
                HOST=127.0.0.1, or KEY_<NAME>_TOKEN in place of ANONYMOUS_MODELS
                """
            ),
            (
                signed + "KEY_B_JWT_ISSUER=https://id.example\nKEY_B_JWT_AUDIENCE=relay\nKEY_B_JWT_WHERE=groups=ai",
                """
                .env:5  KEY_B_JWT_ISSUER: has no members, because each of its tokens also fits KEY_A_JWT_ISSUER, which \
                comes first; set KEY_A_JWT_WHERE to a claim that only those of its members have
                """
            ),
            (
                signed + "KEY_A_JWT_WHERE=groups=cn=ai,ou=school;groups=ai,email_verified=true",
                """
                .env:5  KEY_A_JWT_WHERE: "groups=ai,email_verified=true" is one condition; separate conditions by semicolons
                """
            ),
            (
                signed + "KEY_A_JWT_WHERE=groups=\"ai users\"",
                ".env:5  KEY_A_JWT_WHERE: write groups=\"ai users\" without the quotes, which count"
            ),
            (
                "SUBSET_OF_ONE_MIN_PERMITTED_MODELS=gpt-4o,new-1",
                ".env:1  SUBSET_OF_ONE_MIN_PERMITTED_MODELS: \"new-1\" is not in the catalogue of this version; the name is forwarded unchanged"
            ),
            (
                "PROVIDER_V_KIND=onemin\nPROVIDER_V_MODELS=fast=new-1",
                ".env:2  PROVIDER_V_MODELS: \"new-1\" is not in the catalogue of this version; the name is forwarded unchanged"
            ),
            (
                "PERMIT_MODELS_FROM_SUBSET_ONLY=1\nPROVIDER_V_KIND=onemin\nPROVIDER_V_MODELS=fast=o3,slow=gpt-4o",
                ".env:3  PROVIDER_V_MODELS: \"fast\" is not allowed: SUBSET_OF_ONE_MIN_PERMITTED_MODELS does not contain \"o3\""
            ),
        ]
    )
    func warnings(file: String, warning: String) {
        let outcome = outcome(file: file)
        #expect(outcome.problemTexts == [] && outcome.warningTexts == [warning])
    }

    @Test(
        "a warning names the key that everybody may use",
        arguments: [
            ("ANONYMOUS_MODELS=own", nil), ("ANONYMOUS_MODELS=cheap,own", "PROVIDER_B_API_KEY"),
            ("ANONYMOUS_MODELS=all", "PROVIDER_A_API_KEYS"),
            ("ANONYMOUS_MODELS=cheap\nFALLBACK_MODEL=dear", "PROVIDER_A_API_KEYS"),
            ("ANONYMOUS_MODELS=team\nPANEL_TEAM_MODELS=own\nPANEL_TEAM_SUMMARY_MODEL=b/cheap", "PROVIDER_B_API_KEY"),
            ("PROVIDER_D_KIND=openai\nPROVIDER_D_API_KEY=k\nPROVIDER_D_MODELS=*\nANONYMOUS_MODELS=own", nil),
            (
                "PROVIDER_D_KIND=openai\nPROVIDER_D_API_KEY=k\nPROVIDER_D_MODELS=*\nANONYMOUS_MODELS=own,gpt-x",
                "PROVIDER_D_API_KEY"
            ),
        ]
    )
    func publicUse(file: String, key: String?) {
        let providers = """
            PROVIDER_A_KIND=openai
            PROVIDER_A_API_KEYS=k
            PROVIDER_A_MODELS=dear
            PROVIDER_B_KIND=openai
            PROVIDER_B_API_KEY=k
            PROVIDER_B_MODELS=cheap
            PROVIDER_C_KIND=openai
            PROVIDER_C_BASE_URL=http://127.0.0.1:8000/v1
            PROVIDER_C_MODELS=own

            """
        let outcome = outcome(file: providers + file)
        let told = outcome.warnings.filter { $0.name == "ANONYMOUS_MODELS" }.map(\.text)
        #expect(outcome.problemTexts == [] && told.count == (key == nil ? 0 : 1))
        #expect(told.allSatisfy { $0.contains("may use \(key ?? "") without a key") }, "\(told)")
    }

    @Test("an unknown name is a mistake under a declared key, and a warning under others, in the process environment")
    func unknownNames() {
        let set = Self.keys + [("KEY_TEAM_TOKEN", "sixteen-letters-")]
        let declared = outcome(environment: set + [("KEY_TEAM_MODLES", "all")])
        #expect(
            declared.problemTexts == [
                "environment  KEY_TEAM_MODLES: unknown variable; did you mean KEY_TEAM_MODELS?"
            ]
        )
        let other = outcome(environment: set + [("KEY_VAULT_URL", "x"), ("KEY_TEAM_SERVICE_HOST", "x")])
        #expect(other.problemTexts == [] && other.warningTexts == ["environment  KEY_VAULT_URL: unknown variable"])
    }

    @Test("no secret is listed whole, nor quoted where its file's name belongs")
    func secrets() {
        let secret = "sk-planted-0123456789"
        let outcome = outcome(
            environment: [
                ("KEY_A_TOKEN", secret), ("PROVIDER_V_API_KEYS", "v-planted-0123456789,short"),
                ("PROVIDER_V_KIND", "onemin"),
            ]
        )
        let shown = outcome.effective.map(\.shown).joined(separator: " ")
        #expect(outcome.problemTexts == [] && !shown.contains("planted") && !shown.contains("short"))
        #expect(outcome.effective.first { $0.name == "KEY_A_TOKEN" }?.shown == "sk-p...89")
        let misplaced = self.misplaced(secret)
        #expect(misplaced == ["environment  KEY_A_TOKEN_FILE: the file cannot be read: No such file or directory"])
    }

    private func misplaced(_ secret: String) -> [String] {
        outcome(environment: Self.keys + [("ANONYMOUS_MODELS", "all"), ("KEY_A_TOKEN_FILE", secret)]).problemTexts
    }
}
