import Testing

@testable import Shared

@Suite struct CloudSettingsTests {
    private func read(_ environment: [(String, String)]) -> Settings.Outcome {
        outcome(environment: environment + [("KEY_TEAM_TOKEN", "token-of-the-whole-team-0")])
    }

    private static let complete = [
        ("PROVIDER_V_KIND", "vertexai_claude"), ("PROVIDER_V_MODELS", "c=claude-opus-4-8@default"),
        ("PROVIDER_V_PROJECT_ID", "my-project"), ("PROVIDER_V_CLIENT_ID", "id"), ("PROVIDER_V_CLIENT_SECRET", "secret"),
        ("PROVIDER_V_REFRESH_TOKEN", "1//token"),
    ]

    @Test("an account at Vertex AI has its refresh token as its key")
    func vertex() throws {
        let outcome = read(Self.complete + [("PROVIDER_V_LOCATIONS", "europe-west4, global")])
        let provider = try #require(outcome.settings?.providers.first)
        #expect(outcome.problemTexts == [])
        #expect(provider.apiKeys == ["1//token"] && provider.keyWeights == [1] && !provider.isPassthrough)
        #expect(provider.baseURL.isEmpty)
        #expect(provider.cloud.projectID == "my-project" && provider.cloud.clientSecret == "secret")
        #expect(provider.cloud.locations == ["europe-west4", "global"])
        #expect(provider.cloud.tokenURL == "https://oauth2.googleapis.com/token")
        #expect(self.outcomeOfBase("https://proxy.example/x/v1") == "https://proxy.example/x")
        #expect(self.outcomeOfBase("https://proxy.example/v1beta1") == "https://proxy.example")
    }

    @Test(
        "a provider knows the setting with its keys",
        arguments: [
            ("PROVIDER_O_KIND=openai\nPROVIDER_O_MODELS=m\nPROVIDER_O_API_KEY=k", "PROVIDER_O_API_KEY"),
            ("PROVIDER_O_KIND=openai\nPROVIDER_O_MODELS=m\nPROVIDER_O_API_KEYS=k,l", "PROVIDER_O_API_KEYS"),
            ("ONE_MIN_API_KEYS=k", "ONE_MIN_API_KEYS"), ("PROVIDER_O_KIND=onemin", "PROVIDER_O_API_KEYS"),
            ("PROVIDER_O_KIND=onemin\nONE_MIN_API_KEYS=k", "ONE_MIN_API_KEYS"),
        ]
    )
    func keySettings(file: String, setting: String) {
        #expect(outcome(file: file + "\nKEY_A_TOKEN=t").settings?.providers.first?.keySetting == setting)
        #expect(read(Self.complete).settings?.providers.first?.keySetting == "PROVIDER_V_REFRESH_TOKEN")
    }

    private func outcomeOfBase(_ url: String) -> String? {
        read(Self.complete + [("PROVIDER_V_BASE_URL", url)]).settings?.providers.first?.baseURL
    }

    @Test("all that is missing is told at once")
    func missing() {
        let texts = read([("PROVIDER_V_KIND", "vertexai_gemini")]).problemTexts
        for field in ["MODELS", "PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"] {
            #expect(texts.contains { $0.contains("PROVIDER_V_\(field) must") }, "\(field): \(texts)")
        }
        #expect(texts.count == 5)
    }

    @Test("callers' own tokens need the project only")
    func passthrough() {
        let own = [
            ("PROVIDER_V_KIND", "vertexai_gemini"), ("PROVIDER_V_MODELS", "a"), ("PROVIDER_V_PROJECT_ID", "p"),
            ("PROVIDER_V_PASSTHROUGH", "true"),
        ]
        #expect(read(own).settings?.providers.first?.apiKeys == [])
        let warned = read(own + [("PROVIDER_V_REFRESH_TOKEN", "x")])
        #expect(warned.problemTexts == [] && warned.warnings.contains { $0.text.contains("is not used") })
    }

    @Test(
        "a setting that is wrong for the kind is one problem",
        arguments: [
            ("API_KEYS", "a,b", "does not use API keys"),
            ("API_KEY", "a", "does not use API keys"),
            ("LOCATIONS", "global,Europe West", "is not a location"),
            ("LOCATIONS", "evil.example/x?", "is not a location"),
            ("MODELS", "*", "has no model list"),
            ("TOKEN_URL", "token", "is not a URL"),
            ("REFRESH_TOKEN", "a b", "visible ASCII"),
            ("PROJECT_ID", "a/b", "is not 1 to 64 letters"),
            ("CHAT_VIA", "chat", "only for the kind openai"),
        ]
    )
    func wrong(field: String, value: String, message: String) {
        let name = "PROVIDER_V_\(field)"
        let texts = read(Self.complete.filter { $0.0 != name } + [(name, value)]).problemTexts
        #expect(texts.count == 1 && texts.first?.contains(message) == true, "\(texts)")
    }

    @Test("a provider of the kind cloudflare needs its account")
    func cloudflare() {
        let own = [
            ("PROVIDER_C_KIND", "cloudflare"), ("PROVIDER_C_MODELS", "*,a=@cf/a"), ("PROVIDER_C_API_KEY", "t"),
            ("PROVIDER_C_BASE_URL", "https://proxy.example/client/v4/"),
        ]
        let texts = read(own).problemTexts
        #expect(texts.count == 1 && texts[0].contains("PROVIDER_C_ACCOUNT_ID must be set"), "\(texts)")
        let provider = read(own + [("PROVIDER_C_ACCOUNT_ID", "acc-1")]).settings?.providers.first
        #expect(provider?.cloud.accountID == "acc-1" && provider?.servesList == true)
        #expect(provider?.baseURL == "https://proxy.example")
        let others = read(own + [("PROVIDER_C_ACCOUNT_ID", "a/b"), ("PROVIDER_C_PROJECT_ID", "p")]).problemTexts
        #expect(others.count == 2, "\(others)")
    }

    @Test("fields of Vertex AI are refused at other kinds", arguments: ["PROJECT_ID", "REFRESH_TOKEN", "LOCATIONS"])
    func foreign(field: String) {
        let texts = read([
            ("PROVIDER_A_KIND", "openai"), ("PROVIDER_A_MODELS", "m"), ("PROVIDER_A_\(field)", "x"),
        ]).problemTexts
        #expect(texts.count == 1 && texts.first?.contains("only for the kinds vertexai") == true, "\(texts)")
    }
}
