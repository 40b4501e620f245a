import Shared
import Testing

@Suite struct SettingsTests {
    @Test("without any setting the relay passes keys through to 1min.ai")
    func nothingSet() throws {
        let outcome = outcome()
        #expect(outcome.problems.isEmpty && outcome.warnings.isEmpty)
        let settings = try #require(outcome.settings)
        #expect(settings.host == "0.0.0.0" && settings.port == 5001 && settings.threads == 0)
        #expect(settings.publicURL == nil && settings.corsOrigins == ["*"])
        #expect(settings.maxBodyBytes == 32 << 20 && settings.shutdownSeconds == 30)
        #expect(settings.upstreamProxy == nil && settings.certificateFile == nil)
        #expect(settings.anonymousModels.isEmpty && settings.logLevel == .info && settings.logFormat == .text)
        let provider = try #require(settings.providers.first)
        #expect(settings.providers.count == 1)
        #expect(provider.name == "onemin" && provider.label == "onemin" && provider.kind == .onemin)
        #expect(provider.baseURL == "https://api.1min.ai" && provider.assetURL == "https://asset.1min.ai")
        #expect(provider.isPassthrough && provider.models.isEmpty && !provider.http2)
        #expect(provider.connectTimeout == .seconds(10) && provider.firstByteTimeout == .seconds(300))
        #expect(provider.idleTimeout == .seconds(120) && provider.totalTimeout == .seconds(3_600))
    }

    @Test("every setting arrives as its typed value")
    func everythingSet() throws {
        let outcome = outcome(
            environment: [
                ("HOST", "::1"), ("PORT", "8080"), ("THREADS", "2"), ("PUBLIC_URL", "https://relay.example.org/"),
                ("CORS_ORIGINS", "https://Chat.example.org, http://localhost:3000"), ("MAX_BODY_MB", "1"),
                ("SHUTDOWN_SECONDS", "500ms"), ("ANONYMOUS_MODELS", "echo,lou*"),
                ("ONE_MIN_BASE_URL", "http://127.0.0.1:9000/"), ("ONE_MIN_ASSET_URL", "http://127.0.0.1:9001"),
                ("UPSTREAM_PROXY", "http://user:pass@proxy:3128"), ("SSL_CERT_FILE", "/ca.pem"),
                ("PROVIDERS", "main,demo"), ("LOG_LEVEL", "WARNING"), ("LOG_FORMAT", "json"),
                ("PROVIDER_DEMO_KIND", "echo"), ("PROVIDER_DEMO_MODELS", "echo, loud = echo"),
                ("PROVIDER_DEMO_LABEL", "Demo.1"), ("PROVIDER_MAIN_KIND", "onemin"),
                ("PROVIDER_MAIN_TIMEOUT", "2m"), ("PROVIDER_MAIN_CONNECT_TIMEOUT", "0.5"),
                ("PROVIDER_MAIN_IDLE_TIMEOUT", "250ms"), ("PROVIDER_MAIN_TOTAL_TIMEOUT", "2h"),
                ("PROVIDER_MAIN_HTTP2", "Yes"),
            ],
            files: ["/ca.pem": certificate]
        )
        #expect(outcome.problemTexts == [] && outcome.warningTexts == [])
        let settings = try #require(outcome.settings)
        #expect(settings.host == "::1" && settings.port == 8080 && settings.threads == 2)
        #expect(settings.publicURL == "https://relay.example.org")
        #expect(settings.corsOrigins == ["https://chat.example.org", "http://localhost:3000"])
        #expect(settings.maxBodyBytes == 1_048_576 && settings.shutdownSeconds == 0.5)
        #expect(settings.anonymousModels == [.exactly("echo"), .beginning("lou")])
        #expect(settings.upstreamProxy == "http://user:pass@proxy:3128" && settings.certificateFile == "/ca.pem")
        #expect(settings.logLevel == .warning && settings.logFormat == .json)
        #expect(settings.providers.map(\.name) == ["main", "demo"])
        let main = settings.providers[0]
        #expect(main.baseURL == "http://127.0.0.1:9000" && main.assetURL == "http://127.0.0.1:9001" && main.http2)
        #expect(main.firstByteTimeout == .seconds(120) && main.connectTimeout == .milliseconds(500))
        #expect(main.idleTimeout == .milliseconds(250) && main.totalTimeout == .seconds(7_200))
        let demo = settings.providers[1]
        #expect(demo.label == "Demo.1" && !demo.isPassthrough)
        #expect(
            demo.models == [
                ModelName(alias: "echo", upstream: "echo"), ModelName(alias: "loud", upstream: "echo"),
            ]
        )
    }

    @Test(
        "a value outside its range is one problem that names variable, place and what is expected",
        arguments: [
            ("HOST", "example.org", "is not an IP address"),
            ("HOST", "1.2.3", "is not an IP address"),
            ("PORT", "50o1", "is not a number from 1 to 65535"),
            ("PORT", "0", "is not a number from 1 to 65535"),
            ("PORT", "65536", "is not a number from 1 to 65535"),
            ("PORT", "+80", "is not a number from 1 to 65535"),
            ("PORT", "99999999999999999999", "is not a number from 1 to 65535"),
            ("THREADS", "-1", "is not a number from 0 to 256"),
            ("THREADS", "257", "is not a number from 0 to 256"),
            ("PUBLIC_URL", "relay.example.org", "is not a URL"),
            ("PUBLIC_URL", "ftp://relay.example.org", "is not a URL"),
            ("PUBLIC_URL", "https://a b", "is not a URL"),
            ("PUBLIC_URL", "https://host:0", "is not a URL"),
            ("PUBLIC_URL", "https://host?x=1", "is not a URL"),
            ("PUBLIC_URL", "https://", "is not a URL"),
            ("CORS_ORIGINS", "https://a.example/path", "is not * or a list of origins"),
            ("CORS_ORIGINS", "a.example", "is not * or a list of origins"),
            ("CORS_ORIGINS", ",", "is not * or a list of origins"),
            ("MAX_BODY_MB", "0", "is not a number from 1 to 1024"),
            ("MAX_BODY_MB", "1.5", "is not a number from 1 to 1024"),
            ("SHUTDOWN_SECONDS", "-1", "is not a time from 0 to 1h"),
            ("SHUTDOWN_SECONDS", "2h", "is not a time from 0 to 1h"),
            ("SHUTDOWN_SECONDS", "30 s", "is not a time"),
            ("SHUTDOWN_SECONDS", "1e3", "is not a time"),
            ("SHUTDOWN_SECONDS", "1.2.3", "is not a time"),
            ("SHUTDOWN_SECONDS", "s", "is not a time"),
            ("ONE_MIN_BASE_URL", "https://user:pass@host", "is not a URL"),
            ("ONE_MIN_ASSET_URL", "//host", "is not a URL"),
            ("UPSTREAM_PROXY", "proxy:3128", "is not a proxy's URL"),
            ("SSL_CERT_FILE", "/nowhere", "cannot be read: No such file or directory"),
            ("ANONYMOUS_MODELS", "g*t", "is not a list of model names"),
            ("ANONYMOUS_MODELS", "a b", "is not a list of model names"),
            ("LOG_LEVEL", "warn", "is not one of debug, info, warning, error"),
            ("LOG_FORMAT", "xml", "is not one of text, json"),
            ("STRICT_CONFIG", "maybe", "is not true or false"),
            ("PROVIDERS", "missing", "no provider is declared"),
            ("PROVIDER_A_KIND", "openia", "is not one of onemin, openai, anthropic, gemini, cohere, cloudflare, "),
        ]
    )
    func badValue(name: String, value: String, message: String) {
        let texts = outcome(environment: [(name, value)]).problemTexts
        #expect(texts.count == 1)
        #expect(texts.first?.hasPrefix("environment  \(name): ") == true, "\(texts)")
        #expect(texts.first?.contains(message) == true, "\(texts)")
        #expect(outcome(file: "\n\(name)=\"\(value)\"").problemTexts.first?.hasPrefix(".env:2  \(name): ") == true)
    }

    @Test(
        "a bad field of a provider is one problem",
        arguments: [
            ("LABEL", "a b", "is not 1 to 64 letters"),
            ("LABEL", String(repeating: "x", count: 65), "is not 1 to 64 letters"),
            ("BASE_URL", "localhost:80", "is not a URL"),
            ("TIMEOUT", "0", "is not a time from 1ms to 24h"),
            ("CONNECT_TIMEOUT", "25h", "is not a time from 1ms to 24h"),
            ("IDLE_TIMEOUT", "1d", "is not a time from 1ms to 24h"),
            ("TOTAL_TIMEOUT", ".5", "is not a time from 1ms to 24h"),
            ("HTTP2", "2", "is not true or false"),
            ("ENABLED", "ja", "is not true or false"),
            ("MODELS", "a=,b", "is not a list of name or alias=upstream"),
            ("MODELS", "a,a=b", "is not a list of name or alias=upstream"),
            ("ENABLED", "false", "no provider is enabled"),
        ]
    )
    func badField(field: String, value: String, message: String) {
        let name = "PROVIDER_A_B_\(field)"
        let texts = outcome(environment: [("PROVIDER_A_B_KIND", "onemin"), (name, value)]).problemTexts
        #expect(texts.count == 1)
        #expect(texts.first?.hasPrefix("environment  \(name): ") == true, "\(texts)")
        #expect(texts.first?.contains(message) == true, "\(texts)")
    }

    @Test("all problems are printed together, in the documented form")
    func report() {
        let outcome = outcome(
            environment: [("PORT", "50o1")],
            file: "PROVIDER_GROQ_KIND=onemin\nPROVIDER_GROQ_TIMEUOT=3\n"
        )
        #expect(outcome.settings == nil)
        #expect(
            outcome.problems.report("problem") == """
                configuration: 2 problems
                  environment  PORT: "50o1" is not a number from 1 to 65535
                  .env:2  PROVIDER_GROQ_TIMEUOT: unknown variable; did you mean PROVIDER_GROQ_TIMEOUT?

                """
        )
        let one = SettingsProblem(location: ".env:1", name: nil, text: "x")
        #expect([one].report("problem") == "configuration: 1 problem\n  .env:1  x\n")
    }

    @Test("the process environment goes before the file, and an empty value is none")
    func precedence() throws {
        let outcome = outcome(environment: [("PORT", "6000"), ("THREADS", "")], file: "PORT=7000\nTHREADS=3\nHOST=\n")
        let settings = try #require(outcome.settings)
        #expect(settings.port == 6000 && settings.threads == 3 && settings.host == "0.0.0.0")
        let locations = outcome.effective.filter { ["PORT", "THREADS", "HOST"].contains($0.name) }.map(\.location)
        #expect(locations == ["default", "environment", ".env:2"])
    }

    @Test(
        "booleans, in any case",
        arguments: [
            ("true", true), ("1", true), ("YES", true), ("On", true), ("false", false), ("0", false), ("no", false),
            ("OFF", false),
        ]
    )
    func booleans(text: String, value: Bool) throws {
        let outcome = outcome(environment: [("PROVIDER_A_KIND", "onemin"), ("PROVIDER_A_HTTP2", text)])
        #expect(try #require(outcome.settings).providers.first?.http2 == value)
    }

    @Test("a provider that nobody could use is a mistake")
    func uselessProvider() throws {
        let closed = outcome(environment: [("PROVIDER_MY_DEMO_KIND", "echo")])
        #expect(
            closed.problemTexts == [
                """
                environment  PROVIDER_MY_DEMO_KIND: nobody may use this provider; set KEY_<NAME>_TOKEN or \
                ANONYMOUS_MODELS; `relay key NAME` prints such a line with a new token
                """
            ]
        )
        let open = outcome(environment: [("PROVIDER_MY_DEMO_KIND", "echo"), ("ANONYMOUS_MODELS", "all")])
        let provider = try #require(open.settings?.providers.first)
        #expect(provider.name == "my-demo" && provider.models == [ModelName(alias: "echo", upstream: "echo")])
        let both = outcome(environment: [("PROVIDER_MY_DEMO_KIND", "echo"), ("ANONYMOUS_MODELS", "a b")])
        #expect(both.problems.count == 1)
    }

    @Test(
        "a provider whose base URL is the relay itself is a mistake",
        arguments: [
            ("", "http://127.0.0.1:5001/v1", true), ("", "http://LocalHost:5001", true),
            ("", "http://[::1]:5001/v1", true),
            ("", "http://0.0.0.0:5001/v1", true), ("", "http://127.0.0.1:5002/v1", false),
            ("", "https://127.0.0.1:5001/v1", false), ("", "http://192.0.2.7:5001/v1", false),
            ("HOST=::\nPORT=80", "http://localhost/v1", true), ("HOST=192.0.2.7", "http://192.0.2.7:5001/v1", true),
            ("HOST=192.0.2.7", "http://localhost:5001/v1", false), ("HOST=::1", "http://localhost:5001/v1", true),
            ("HOST=127.0.0.1", "http://localhost:5001/v1", true), ("HOST=127.0.0.1", "http://127.0.0.2:5001/v1", false),
            ("UPSTREAM_PROXY=http://proxy:3128", "http://127.0.0.1:5001/v1", false),
            ("PUBLIC_URL=https://relay.example.org/", "https://relay.example.org/v1", true),
            ("PUBLIC_URL=https://relay.example.org", "https://relay.example.org/vllm/v1", false),
        ]
    )
    func loops(file: String, url: String, isLoop: Bool) {
        let provider = "PROVIDER_A_KIND=openai\nPROVIDER_A_MODELS=m\nPROVIDER_A_BASE_URL=\(url)\nKEY_A_TOKEN=token-a\n"
        let texts = outcome(file: provider + file).problemTexts
        let line =
            ".env:3  PROVIDER_A_BASE_URL: is an address of this relay, which would call itself; write the vendor's URL"
        #expect(texts == (isLoop ? [line] : []))
        let ofOneMin = outcome(file: "ONE_MIN_BASE_URL=\(url)\n" + file).problemTexts
        #expect(ofOneMin.map { $0.hasPrefix(".env:1  ONE_MIN_BASE_URL: is an address") } == (isLoop ? [true] : []))
    }

    @Test("providers come in the order of PROVIDERS, then by name; disabled ones do not come")
    func providerOrder() throws {
        let kinds = ["A", "B", "C", "D_1"].map { ("PROVIDER_\($0)_KIND", "onemin") }
        let listed = outcome(environment: kinds + [("PROVIDERS", "d_1,C"), ("PROVIDER_A_ENABLED", "no")])
        #expect(try #require(listed.settings).providers.map(\.name) == ["d-1", "c", "b"])
        let wrong = outcome(environment: kinds + [("PROVIDERS", "a,a,x")])
        #expect(
            wrong.problemTexts == [
                "environment  PROVIDERS: \"a\" is listed twice",
                "environment  PROVIDERS: no provider \"x\" is declared; set PROVIDER_X_KIND, or remove it",
            ]
        )
    }

    @Test("a field of a provider that nothing declares is a mistake, with the NAME that was meant")
    func strayField() {
        let outcome = outcome(file: "PROVIDER_GROQ_KIND=onemin\nPROVIDER_GORQ_TIMEOUT=3\nPROVIDER_GROQ_IDEL_TIMEOUT=3")
        #expect(
            outcome.problemTexts == [
                ".env:2  PROVIDER_GORQ_TIMEOUT: PROVIDER_GORQ_KIND is not set; did you mean PROVIDER_GROQ_TIMEOUT?",
                ".env:3  PROVIDER_GROQ_IDEL_TIMEOUT: unknown variable; did you mean PROVIDER_GROQ_IDLE_TIMEOUT?",
            ]
        )
    }

    @Test(
        "a name with a word too many means a setting of the one that is declared",
        arguments: [
            ("KEY_TEAM_CHAT_RATE_LIMIT", "KEY_TEAM_RATE_LIMIT_CHAT"),
            ("KEY_TEAM_DAILY_RATE_LIMIT", "KEY_TEAM_RATE_LIMIT"),
            ("KEY_TEAM_ALLOWED_MODELS", "KEY_TEAM_MODELS"), ("KEY_TEAM_A_B_MODELS", "KEY_TEAM_A_MODELS"),
            ("GROUP_ENG_MONTHLY_RATE_LIMIT", "GROUP_ENG_RATE_LIMIT"), ("PROVIDER_V_READ_TIMEOUT", "PROVIDER_V_TIMEOUT"),
            ("PROVIDER_V_API_BASE_URL", "PROVIDER_V_BASE_URL"), ("PROVIDER_V_EXTRA_HEADERS", "PROVIDER_V_HEADERS"),
            ("PROVIDER_V_MAX_CONCURRENCY", "PROVIDER_V_CONCURRENCY"), ("PROVIDER_V_INPUT_COST", "PROVIDER_V_COST"),
            ("PROVIDER_V_CHAT_MODELS", "PROVIDER_V_MODELS"), ("KEY_TEAM_MODELS_ALLOWED", "KEY_TEAM_MODELS"),
        ]
    )
    func wordTooMany(name: String, meant: String) {
        let value = ["LIMIT": "5/minute", "URL": "http://h/v1", "HEADERS": "X-A: b"][
            name.split(separator: "_").last ?? ""
        ]
        let file = """
            PROVIDER_V_KIND=onemin
            PROVIDER_V_API_KEYS=k
            KEY_TEAM_TOKEN=0123456789abcdef
            KEY_TEAM_A_TOKEN=0123456789abcdeg
            KEY_TEAM_GROUP=eng
            GROUP_ENG_RATE_LIMIT_CHAT=5/minute
            \(name)=\(value ?? "3")
            """
        let lenient = outcome(environment: [("STRICT_CONFIG", "false")], file: file)
        let strict = outcome(file: file)
        #expect(strict.problemTexts == [".env:7  \(name): unknown variable; did you mean \(meant)?"])
        #expect(strict.warningTexts == [])
        #expect(lenient.problemTexts == [] && lenient.warnings.count == 1)
    }

    @Test(
        "what only follows from lines that cannot be read is not reported",
        arguments: [
            ("A=\"1\nKEY_A_TOKEN=0123456789abcdef", [".env:4  A: the closing \" is missing"]),
            ("KEY_A TOKEN=0123456789abcdef", [".env:4  this line is not NAME=value: names have only A-Z, 0-9 and _"]),
            (
                "PORT=\"1\nKEY_A_TOKEN=0123456789abcdef\n\"",
                [
                    ".env:4  PORT: a later line of this value sets another variable; end its quotes, and save the file "
                        + "with LF at the ends of lines"
                ]
            ),
        ]
    )
    func lostLines(text: String, problems: [String]) {
        let outcome = outcome(file: "THREADS=x\nPROVIDER_V_KIND=openai\nPROVIDER_V_API_KEYS=k\n\(text)")
        #expect(outcome.problems.map(\.name).first == "THREADS")
        #expect(Array(outcome.problemTexts.dropFirst()) == problems)
        #expect(outcome.warningTexts == [])
    }

    @Test("the longest known field ends a name")
    func longestField() throws {
        let outcome = outcome(environment: [("PROVIDER_A_KIND", "onemin"), ("PROVIDER_A_CONNECT_TIMEOUT", "3")])
        let provider = try #require(outcome.settings?.providers.first)
        #expect(provider.connectTimeout == .seconds(3) && provider.firstByteTimeout == .seconds(300))
    }

    @Test("what is listed can be read again")
    func listing() throws {
        let odd = "a \"b\" \\ #c\nd"
        let table = SettingsTable(
            sections: SettingsTable.product.sections + [SettingSection("T", SettingRow("TEXT", .text).help("text"))],
            families: SettingsTable.product.families
        )
        let first = outcome(environment: [("TEXT", odd), ("PORT", "1")], table: table)
        let lines = first.effective.map { "\($0.name)=\($0.dotenvValue)  # \($0.location)\n" }.filter {
            !$0.hasPrefix("ENV_")
        }
        let second = outcome(file: lines.joined(), table: table)
        #expect(second.problemTexts == [] && second.settings == first.settings)
        #expect(second.effective.first { $0.name == "TEXT" }?.shown == odd)
    }
}
