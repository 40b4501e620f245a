import Testing

@testable import Shared

/// Tests of secrets in a table of their own, with the product's reader and listing.
@Suite struct SecretTests {
    @Test("a key of the document that can be guessed, and records without a database, are told")
    func lonely() {
        let own = [("PROVIDER_E_KIND", "echo"), ("ANONYMOUS_MODELS", "echo"), ("CONFIG_URL", "https://a.example/x")]
        let texts = outcome(environment: own + [("CONFIG_KEY", "0123456789"), ("USAGE_DATA_DAYS", "5")]).warningTexts
        #expect(texts.contains { $0.contains("CONFIG_KEY: has fewer than 16 characters") }, "\(texts)")
        #expect(texts.contains { $0.contains("USAGE_DATA_DAYS: has no effect without DATA_DIR or") }, "\(texts)")
        let users = outcome(environment: own.dropLast() + [("USAGE_USERS", "digest")]).warningTexts
        #expect(
            users.contains { $0.contains("USAGE_USERS: has no effect without USAGE_LOG_FILE or DATA_DIR") },
            "\(users)"
        )
        let longer = outcome(environment: own + [("CONFIG_KEY", "0123456789abcdef")]).warningTexts
        #expect(!longer.contains { $0.contains("CONFIG_KEY") })
    }

    private let table = SettingsTable(
        sections: SettingsTable.product.sections + [
            SettingSection(
                "Secrets",
                SettingRow("SECRET", .number(1...9), trait: .secret).help("a secret number"),
                SettingRow("SECRETS", .list, trait: .secret).help("secrets"),
                SettingRow("STORY", .text, trait: .prompt).help("a long text"),
                SettingRow("USAGE_LOG_FILE", .text).help("a name of its own"),
                SettingRow("USAGE_LOG", .text, trait: .secret).help("another")
            )
        ],
        families: SettingsTable.product.families + [
            SettingFamily(
                prefix: "BOX_",
                declaring: ["TOKEN"],
                title: "Boxes",
                rows: [SettingRow("TOKEN", .text, trait: .secret).help("opens it")]
            )
        ]
    )

    private func shown(_ name: String, _ outcome: Settings.Outcome) -> String? {
        outcome.effective.first { $0.name == name }?.shown
    }

    @Test("X_FILE gives X without one line end")
    func fromFile() {
        let files = ["/a": "one two\n\n", "/b": "token-of-a-box\r\n"]
        let outcome = outcome(
            environment: [("STORY_FILE", "/a"), ("BOX_MY_FILE_TOKEN_FILE", "/b")],
            files: files,
            table: table
        )
        #expect(outcome.problemTexts == [])
        #expect(shown("STORY", outcome) == "one two\n")
        #expect(shown("BOX_MY_FILE_TOKEN", outcome) == "toke...ox")
    }

    @Test("X and X_FILE together are a mistake, also in two sources")
    func both() {
        let one = outcome(file: "STORY=a\nSTORY_FILE=/a", files: ["/a": "b"], table: table)
        #expect(one.problemTexts == [".env:2  STORY_FILE: STORY is also set (.env:1); remove one of them"])
        let two = outcome(environment: [("STORY_FILE", "/a")], file: "STORY=a", files: ["/a": "b"], table: table)
        #expect(two.problemTexts == [".env:1  STORY: STORY_FILE is also set (environment); remove one of them"])
    }

    @Test("exact names go before X_FILE")
    func exactFirst() {
        let outcome = outcome(environment: [("USAGE_LOG_FILE", "/nowhere")], table: table)
        #expect(outcome.problemTexts == [] && shown("USAGE_LOG_FILE", outcome) == "/nowhere")
    }

    @Test("a file that cannot be read is a mistake, and what is no secret comes from no file")
    func unreadable() {
        let outcome = outcome(environment: [("SECRET_FILE", "/nowhere")], file: "PORT_FILE=/a", table: table)
        #expect(
            outcome.problemTexts == [
                "environment  SECRET_FILE: \"/nowhere\" cannot be read: No such file or directory",
                ".env:1  PORT_FILE: unknown variable; PORT is read from no file; write its value there",
            ]
        )
    }

    @Test("a byte order mark at the beginning of a file is no part of the value")
    func byteOrderMark() {
        let outcome = outcome(
            environment: [("BOX_A_TOKEN_FILE", "/a")],
            files: ["/a": "\u{FEFF}token-of-a-box\n"],
            table: table
        )
        #expect(outcome.problemTexts == [] && shown("BOX_A_TOKEN", outcome) == "toke...ox")
    }

    @Test(
        "a value of several lines is not quoted, and none contains another setting",
        arguments: [
            "PORT=\"5001\nKEY_A_TOKEN=hidden-0123456789\nHOST=\"", "PORT=5001\rKEY_A_TOKEN=hidden-0123456789\nHOST=::1",
            "BUDGET_CONTACT=\"ask Bob\n  export KEY_A_TOKEN = hidden-0123456789\n\"",
            "MODEL_REPLACEMENTS=\"a:b\n#KEY_A_TOKEN=hidden-0123456789\n\"",
            "RATE_LIMIT=\"60/minute\nhidden-0123456789\"", "MODEL_REPLACEMENTS=\"a:b\nhidden-0123456789\"",
            "PANEL_A_MODELS=\"a b\rhidden-0123456789\"", "PORT=5001\rhidden-0123456789\nHOST=::1",
            "SSL_CERT_FILE=\"/ca.pem\nhidden-0123456789\"", "PORT=5001\rKEY_A_TOKEN=hidden-0123456789\r",
            "KEY_A_TOKEN=\"a-token-0123456789\nKEY_B_TOKEN=hidden-0123456789\"",
        ]
    )
    func severalLines(file: String) {
        let outcome = outcome(file: file)
        let texts = outcome.problemTexts + outcome.warningTexts + outcome.effective.map(\.shown)
        #expect(!outcome.problems.isEmpty && !texts.contains { $0.contains("hidden") }, "\(texts)")
    }

    @Test(
        "a file of certificates has one, and each of its certificates can be read",
        arguments: [
            (certificate, nil), ("\(certificate)\ntext\n\(certificate)\n", nil), ("text", "contains no certificate"),
            ("", "contains no certificate"),
            (certificate.replacing("MIIB", with: "MIIC"), "has a certificate that cannot be read"),
            (certificate.replacing("BEGIN CERT", with: "BEGIN X509 CERT"), "has a certificate that cannot be read"),
            (String(certificate.dropLast(60)), "has a certificate that cannot be read"),
            ("\(certificate)\n\(certificate.dropLast(60))", "has a certificate that cannot be read"),
        ] as [(String, String?)]
    )
    func certificates(file: String, problem: String?) {
        let texts = outcome(environment: [("SSL_CERT_FILE", "/ca.pem")], files: ["/ca.pem": file]).problemTexts
        #expect(texts.count == (problem == nil ? 0 : 1))
        #expect(
            texts.first.map { $0.hasPrefix("environment  SSL_CERT_FILE: \"/ca.pem\" \(problem ?? "?")") } ?? true,
            "\(texts)"
        )
    }

    @Test("a file that is empty does not pass for a secret that is unset")
    func empty() {
        let outcome = outcome(environment: [("BOX_A_TOKEN_FILE", "/a")], files: ["/a": "\n"], table: table)
        #expect(
            outcome.problemTexts == [
                "environment  BOX_A_TOKEN_FILE: the file \"/a\" is empty; write the value of BOX_A_TOKEN into it"
            ]
        )
    }

    @Test("no secret is shown in a problem or a listing")
    func neverShown() {
        let wrong = outcome(environment: [("SECRET", "sk-1234567890abcdef")], table: table)
        #expect(wrong.problemTexts == ["environment  SECRET: the value is not a number from 1 to 9"])
        let listed = outcome(environment: [("SECRETS", "sk-1234567890abcdef,short")], table: table)
        #expect(shown("SECRETS", listed) == "sk-1...ef,...")
        let proxy = outcome(environment: [("UPSTREAM_PROXY", "http://me:hidden@proxy:80")])
        #expect(shown("UPSTREAM_PROXY", proxy) == "http://...@proxy:80")
        let url = outcome(environment: [("PUBLIC_URL", "https://me:hidden@host")])
        #expect(url.problemTexts.allSatisfy { !$0.contains("hidden") } && url.problems.count == 1)
    }

    @Test(
        "masking",
        arguments: [
            ("", "..."), ("12345678901", "..."), ("123456789012", "1234...12"), ("sk-äöüß12345678", "sk-ä...78"),
        ]
    )
    func masking(secret: String, masked: String) { #expect(secret.masked == masked) }
}
