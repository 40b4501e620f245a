import Limits
import Testing

@testable import Shared

/// Tests of what settings say about the end of keys, and about all keys together.
@Suite struct KeyEndTests {
    private func read(_ file: String) -> Settings.Outcome {
        outcome(
            file: "PROVIDER_E_KIND=echo\nKEY_A_TOKEN=token-a-0123456789\nKEY_B_TOKEN=token-b-0123456789\n" + file,
            files: ["/usr/share/zoneinfo/Asia/Kolkata": "TZif2"]
        )
    }

    @Test(
        "a key ends at the end of a day in the time zone, or at a time",
        arguments: [
            ("KEY_A_EXPIRES=2099-01-31", 4_073_587_200_000),
            ("KEY_A_EXPIRES=2099-01-31T12:00:00+01:00", 4_073_540_400_000),
            ("KEY_A_EXPIRES=2099-01-31\nTIMEZONE=Asia/Kolkata", 4_073_567_400_000),
            ("KEY_A_EXPIRES=2099-01-31\nADMIN_TIMEZONE=Asia/Kolkata", 4_073_567_400_000),
            ("KEY_A_ENABLED=false\nKEY_A_EXPIRES=2099-01-31", Int.min), ("KEY_A_ENABLED=true", nil),
        ] as [(String, Int?)]
    )
    func ends(file: String, milliseconds: Int?) throws {
        let outcome = read(file)
        #expect(outcome.problemTexts == [] && outcome.warnings.isEmpty)
        #expect(try #require(outcome.settings).keys.map(\.endsAt) == [milliseconds, nil])
    }

    @Test("an end that is near or past is a warning")
    func warnings() {
        let soon = Timestamp.text(second: Timestamp.now() / 1_000 + 3 * 86_400)
        let later = Timestamp.text(second: Timestamp.now() / 1_000 + 15 * 86_400)
        func warnings(_ time: String) -> [String] { read("KEY_A_EXPIRES=" + time).warnings.map(\.text) }
        #expect(warnings(soon) == ["the key is refused from \(soon) on"])
        #expect(warnings(later) == [])
        #expect(warnings("2020-01-31") == ["is past, so the key is refused (401); set a later time, or remove the key"])
        let ofAll = read("KEY_DEFAULT_EXPIRES=2020-01-31").warnings
        #expect(ofAll.map(\.name) == ["KEY_DEFAULT_EXPIRES"], "both keys have one setting")
        #expect(read("KEY_A_EXPIRES=2020-01-31\nKEY_A_ENABLED=false").warnings.isEmpty)
    }

    @Test("KEY_DEFAULT_... are what a key has that does not set its own")
    func defaults() throws {
        let file = """
            KEY_DEFAULT_MODELS=gpt*
            KEY_DEFAULT_RATE_LIMIT=5/minute
            KEY_DEFAULT_RATE_LIMIT_CHAT=4/minute
            KEY_DEFAULT_GROUP=eng
            KEY_DEFAULT_EXPIRES=2099-01-31
            GROUP_ENG_RATE_LIMIT=9/minute
            KEY_B_MODELS=echo
            KEY_B_RATE_LIMIT=off
            KEY_B_ENABLED=false
            """
        let outcome = read(file)
        #expect(outcome.problemTexts == [])
        let keys = try #require(outcome.settings).keys
        #expect(keys.map(\.name) == ["a", "b"])
        #expect(keys.map(\.models) == [[.beginning("gpt")], [.exactly("echo")]])
        #expect(keys.map(\.limits.all.count) == [1, 0])
        #expect(keys.map { $0.limits.endpoints[.chat]?.count } == [1, 1])
        #expect(keys.map { $0.groups.map(\.name) } == [["eng"], ["eng"]])
        #expect(keys.map(\.endsAt) == [4_073_587_200_000, .min])
        let shown = outcome.effective.filter { $0.name == "KEY_A_RATE_LIMIT" }
        #expect(shown.map(\.shown) == ["5/minute"])
    }

    @Test(
        "mistakes are one line each",
        arguments: [
            ("KEY_DEFAULT_TOKEN=token-of-somebody", "KEY_DEFAULT_TOKEN: KEY_DEFAULT_... are what each key has"),
            ("KEY_DEFAULT_GROUP=eng", "KEY_DEFAULT_GROUP: no setting of a group \"eng\" exists"),
            (
                "TIMEZONE=UTC\nADMIN_TIMEZONE=Asia/Kolkata",
                "ADMIN_TIMEZONE: is an older name of TIMEZONE, which is set to another zone"
            ),
        ]
    )
    func problems(file: String, expected: String) {
        let texts = read(file).problemTexts
        #expect(texts.count == 1 && texts.first?.contains(expected) == true, "\(texts)")
    }
}
