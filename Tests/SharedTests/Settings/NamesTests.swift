import Testing

@testable import Shared

@Suite struct NamesTests {
    @Test(
        "unknown names in the process environment",
        arguments: [
            ("PROVIDER_A_WEIGTH", "1", true), ("PANEL_A_FOO", "1", true), ("RATE_LIMIT_FOO", "1", true),
            ("ONE_MIN_KEY", "1", true), ("SUBSET_OF_FOO", "1", true), ("PERMIT_MODELS_FOO", "1", true),
            ("KEY_FOO", "1", false), ("CACHE_FOO", "1", false), ("ADMIN_FOO", "1", false),
            ("THREDS", "1", false), ("LOG_LEVELS", "1", false), ("PUBLIC_URI", "1", false),
        ]
    )
    func reported(name: String, value: String, isMistake: Bool) {
        let outcome = outcome(environment: [(name, value)])
        #expect((isMistake ? outcome.problems : outcome.warnings).map(\.name) == [name])
        #expect((isMistake ? outcome.warnings : outcome.problems).isEmpty)
        #expect(outcome.problemTexts.allSatisfy { $0.hasPrefix("environment  \(name): unknown variable") })
    }

    @Test(
        "names that are not ours, or that orchestrators inject, are ignored",
        arguments: [
            ("PATH", "/bin"), ("PROT", "1"), ("HOSTS", "x"), ("http_proxy", "x"),
            ("PROVIDER_X_SERVICE_HOST", "10.0.0.1"), ("PROVIDER_X_SERVICE_PORT", "80"),
            ("PROVIDER_X_SERVICE_PORT_HTTP", "80"), ("PROVIDER_X_PORT", "tcp://10.0.0.1:80"),
            ("RATE_LIMIT_PORT_80_TCP", "tcp://10.0.0.1:80"), ("RATE_LIMIT_PORT_80_TCP_ADDR", "10.0.0.1"),
        ]
    )
    func ignored(name: String, value: String) {
        let outcome = outcome(environment: [(name, value)])
        #expect(outcome.problems.isEmpty && outcome.warnings.isEmpty)
    }

    @Test("in a file every unknown name is a mistake, also what orchestrators inject elsewhere")
    func strictFile() {
        let outcome = outcome(file: "FOO=1\nPROVIDER_X_PORT_80_TCP=2\nlog_level=info\nEMPTY=\n")
        #expect(
            outcome.problemTexts == [
                ".env:1  FOO: unknown variable", ".env:2  PROVIDER_X_PORT_80_TCP: unknown variable",
                ".env:3  log_level: unknown variable; did you mean LOG_LEVEL?", ".env:4  EMPTY: unknown variable",
            ]
        )
    }

    @Test("STRICT_CONFIG=false turns unknown names into warnings, nothing else")
    func notStrict() {
        let outcome = outcome(environment: [("PANEL_A", "1")], file: "STRICT_CONFIG=false\nFOO=1\nPORT=x")
        #expect(outcome.warnings.map(\.name) == ["PANEL_A", "FOO"])
        #expect(outcome.problems.map(\.name) == ["PORT"])
    }

    @Test(
        "the name that was meant",
        arguments: [
            ("THREDS", "THREADS"), ("ANONYMUS_MODELS", "ANONYMOUS_MODELS"), ("LOGLEVEL", "LOG_LEVEL"),
            ("LOG_LVL", "LOG_LEVEL"), ("threads", "THREADS"),
            ("PROVIDER_MY_GROQ_TIEMOUT", "PROVIDER_MY_GROQ_TIMEOUT"),
            ("PROVIDER_A_MODLES", "PROVIDER_A_MODELS"), ("PROVIDER_A_LABLE", "PROVIDER_A_LABEL"),
        ]
    )
    func suggestion(name: String, meant: String) { #expect(SettingsTable.product.suggestion(for: name) == meant) }

    @Test("no name is suggested that is far off", arguments: ["FOO", "LOG", "PROVIDER_A_B", "PROVIDER_A_QPS"])
    func noSuggestion(name: String) { #expect(SettingsTable.product.suggestion(for: name) == nil) }

    @Test(
        "edit distance",
        arguments: [
            ("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ab", 1), ("abc", "acb", 2), ("a", "abc", 2),
            ("abcd", "a", nil), ("kitten", "sitting", nil),
        ] as [(String, String, Int?)]
    )
    func distances(one: String, other: String, distance: Int?) {
        #expect(editDistance(one, other, atMost: 2) == distance)
        #expect(editDistance(other, one, atMost: 2) == distance)
    }
}
