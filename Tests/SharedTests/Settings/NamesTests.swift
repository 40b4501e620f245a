import Support
import Testing

@testable import Shared

@Suite struct NamesTests {
    @Test(
        "unknown names in the process environment",
        arguments: [
            ("PROVIDER_A_WEIGTH", "1", true), ("PANEL_A_FOO", "1", true), ("RATE_LIMIT_FOO", "1", true),
            ("ONE_MIN_KEY", "1", true), ("SUBSET_OF_FOO", "1", true), ("PERMIT_MODELS_FOO", "1", true),
            ("KEY_FOO", "1", false), ("CACHE_FOO", "1", false), ("ADMIN_FOO", "1", false),
            ("USAGE_FILE", "x", false), ("BUDGET_FOO", "1", false),
            ("FETCH_FOO", "1", false), ("AFFINITY_FOO", "1", false), ("ANONYMOUS_FOO", "1", false),
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

    @Test("names in small letters are said to be so, wherever they stand")
    func smallLetters() {
        let text = "KEY_team_TOKEN: unknown variable; did you mean KEY_TEAM_TOKEN? Names consist of A-Z, 0-9 and _."
        #expect(outcome(file: "KEY_team_TOKEN=a").problemTexts == [".env:1  \(text)"])
        #expect(outcome(environment: [("KEY_team_TOKEN", "a")]).warningTexts == ["environment  \(text)"])
        let small = outcome(environment: [("key_team_token", "a"), ("port", "1"), ("provider_x_kind", "echo")])
        #expect(small.problemTexts == [] && small.warnings.map(\.name) == ["key_team_token", "provider_x_kind"])
    }

    @Test("what only the compose file reads is taken everywhere")
    func composeFile() {
        let without = outcome(environment: []).settings
        let outcome = outcome(environment: [("RELAYS", "3")], file: "PUBLISH=127.0.0.1:8080\nRELAYS=2")
        #expect(outcome.problemTexts == [] && outcome.warningTexts == [] && outcome.settings == without)
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
            ("LOG_LVL", "LOG_LEVEL"), ("threads", "THREADS"), ("KEY_team_TOKEN", "KEY_TEAM_TOKEN"),
            ("key_team_token", "KEY_TEAM_TOKEN"), ("KEY_my-team_TOKEN_FILE", "KEY_MY_TEAM_TOKEN_FILE"),
            ("PROVIDER_groq_KIND", "PROVIDER_GROQ_KIND"),
            ("PROVIDER_MY_GROQ_TIEMOUT", "PROVIDER_MY_GROQ_TIMEOUT"),
            ("PROVIDER_A_MODLES", "PROVIDER_A_MODELS"), ("PROVIDER_A_LABLE", "PROVIDER_A_LABEL"),
            ("KEY_A", "KEY_A_TOKEN"), ("PROVIDER_A", "PROVIDER_A_KIND"), ("KEY_A_B_LIMIT", "KEY_A_B_RATE_LIMIT"),
            ("KEY_A_LIMIT_CHAT", "KEY_A_RATE_LIMIT_CHAT"), ("PROVIDER_A_KEYS", "PROVIDER_A_API_KEYS"),
            ("PROVIDER_A_URL", "PROVIDER_A_BASE_URL"),
        ]
    )
    func suggestion(name: String, meant: String) { #expect(SettingsTable.product.suggestion(for: name) == meant) }

    @Test(
        "a setting of the whole relay is said to be one",
        arguments: [
            ("KEY_X_RATE_LIMIT_BY_MODEL", "RATE_LIMIT_BY_MODEL", "key"),
            ("PANEL_X_FALLBACK_MODEL", "FALLBACK_MODEL", "panel"),
        ]
    )
    func global(name: String, setting: String, kind: String) {
        let text = "unknown variable; write \(setting), a setting of the whole relay: a \(kind) has none of its own"
        #expect(outcome(file: "\(name)=1").problemTexts == [".env:1  \(name): \(text)"])
    }

    @Test("no name is suggested that is far off", arguments: ["FOO", "LOG", "PROVIDER_A_B", "PROVIDER_A_QPX"])
    func noSuggestion(name: String) { #expect(SettingsTable.product.suggestion(for: name) == nil) }

    @Test("the distance within a band is that of the whole table", arguments: 0..<20)
    func band(seed: UInt64) {
        var random = Seeded(seed)
        func name() -> [UInt8] {
            (0..<Int.random(in: 0...9, using: &random)).map { _ in UInt8.random(in: 97...99, using: &random) }
        }
        for _ in 0..<200 {
            let (one, other) = (name(), name())
            let whole = wholeDistance(one[...], other[...])
            for bound in 0...4 {
                #expect(editDistance(one, other, atMost: bound) == (whole <= bound ? whole : nil))
            }
        }
    }

    /// Returns the edit distance by its definition, one letter at a time.
    private func wholeDistance(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Int {
        var above = Array(0...other.count)
        for (row, byte) in one.enumerated() {
            var current = [row + 1]
            for (column, target) in other.enumerated() {
                current.append(
                    min(above[column] + (byte == target ? 0 : 1), above[column + 1] + 1, current[column] + 1)
                )
            }
            above = current
        }
        return above[other.count]
    }

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
