import Testing

@testable import Shared

/// Tests of every row of the table, with values that it must not accept.
@Suite struct EveryRowTests {
    private struct Case: CustomTestStringConvertible {
        let name: String
        let value: String
        let row: SettingRow
        var testDescription: String { "\(name)=\(value)" }
    }

    /// Returns the largest whole number of a type; nil if its values are no whole numbers.
    private static func largestNumber(_ type: SettingType) -> Int? {
        type.expectation.hasPrefix("a number from ")
            ? type.expectation.split(separator: " ").last.flatMap { Int($0) } : nil
    }

    /// Returns the longest time of a type; nil if its values are no times.
    private static func longestTime(_ type: SettingType) -> Duration? {
        guard type.expectation.hasPrefix("a time from ") else { return nil }
        return Duration(
            setting: String(type.expectation.split(separator: " ")[5]),
            in: .zero ... .seconds(1_000_000_000)
        )
    }

    /// Returns invalid values of a type; empty if any text is valid.
    private static func wrong(_ type: SettingType) -> [String] {
        switch type {
        case .text: []
        case .boolean, .booleanOr("jwt"): ["ja", "2"]
        case .modelPrices: ["1", "a", "a=", "=1", "a=x", "a=1,a=2", "a b=1", ",", "a=1/2/3/4/5/6/7/8"]
        case .modelInfo: ["gpt-4o", "gpt-4o=colour:red", "=context:1", "gpt-4o=context:0", "gpt-4o=tools:maybe", ";"]
        case .replacements: ["a", "a:", ":b", "a:b,a:c", "a b:c", "a:b c", ","]
        case .rate: ["0", "-1", "x", "1e3", "0.0001", "1000001"]
        case .address: ["example.org", "1.2.3"]
        case .url: ["no-scheme", "ftp://host", "https://a b", "https://a/v1,https://b/v1"]
        case .proxy: ["no-scheme", "ftp://host", "https://a b"]
        case .database:
            [
                "host/relay", "mysql://host/relay", "postgres://a b/relay", "postgres://me:p@ss@host/relay",
                "postgres://me:p/ss@host/relay",
            ]
        case .document: ["no-url", "ftp://a", "https://a b", "https://a#b"]
        case .origins: ["host", "https://host/path"]
        case .file: ["/nowhere"]
        case .path: ["a\tb", "~/data"]
        case .list: [","]
        case .words: ["a b", "a;b", ","]
        case .patterns: ["a*b", "a b", "a;b", ","]
        case .models: ["a=", "a b", "a,a"]
        case .model: ["a b", "a\tb"]
        case .names: ["a b", ","]
        case .label: ["a b", String(repeating: "x", count: 65)]
        case .phrase: ["wrong\u{7F}secret-1234567890", String(repeating: "é", count: 257)]
        case .token: ["wrong secret-1234567890", "wröng-1234567890", String(repeating: "x", count: 513)]
        case .password:
            ["short-1", "PassWord123", "aaaaaaaaaaaa", "tab\tin-password", String(repeating: "ab-", count: 171)]
        case .timeZone: ["Nowhere/Land", "/etc/passwd", "../../etc/passwd", "Europe//Berlin", "a b", "."]
        case .tokens: ["good,wrong secret-1234567890", ","]
        case .limits: ["60", "0/minute", "60 per fortnight", "1/minute;", "off;1/minute"]
        case .modelLimits: ["10/minute", "a b=1/s", "a*b=1/s", "a=60", "a=1/s,a=2/s", "a=1/s;b=2/s", "=1/s", "a=", ","]
        case .price:
            ["x", "-1", "1/2/3/4/5/6/7/8", "1 over 5", "0.1/", "/0.1", "1e-3", "0.0000000001", "1000.1", "$1", "1,2"]
        case .dollars: ["x", "-1", "1000.1", "0.0000000000001", "1/2", "$1"]
        case .toolFees:
            ["0.01", "web_search", "web_search=", "search=1", "web_search=x", "web_search=1,web_search=2", ","]
        case .networks: ["10.0.0.0/33", "host", "10.0.0.0/", "::/129", "1.2.3.4/-1", ","]
        case .host: ["a b", "tcp://a", "a/b"]
        case .servers: ["a:0", "a:b", "a:", ":1", "a b"]
        case .moment: ["x", "2027-02-30", "2027-1-31", "31.01.2027", "2027-01-31T18:00:00"]
        case .linkedPort: ["0", "65536", "tcp://a", "tcp://a:x", "x"]
        case .published: ["x", "0", "65536", "host:80", "1.2.3.4:x", "10.0.0.0/8:80", "::1"]
        case .listener: ["x", "5002", "65536", "host:80", "1.2.3.4:x", "10.0.0.0/8:80", "::1"]
        case .weight: ["-1", "x", "1e3", "1000001", "a=1"]
        case .temperature: ["-1", "x", "1e0", "2.1"]
        case .modelWeights: ["1", "a", "a=", "=1", "a=x", "a=1,a=2", "a b=1", ","]
        case .headers: ["no colon", "X: ", ": x", "X y: z", "Host: a", "X: a; Content-Length: 3", "X: \u{e4}"]
        case .weights: ["0", "-1", "x", "1,,a", "1e3", "nan", "1000001"]
        default:
            if let largest = largestNumber(type) {
                ["x", "\(largest + 1)", "-1", "1.5"]
            } else if let longest = longestTime(type) {
                ["soon", "-1", (longest + .seconds(1)).settingText]
            } else if type.expectation.hasPrefix("off, or a list of ") {
                ["something-else", "user,off", ","]
            } else {
                // A choice. A type that takes any word needs a case above.
                ["something-else"]
            }
        }
    }

    /// The rows with their names. Fields of families are those of an instance X.
    private static let rows: [(String, SettingRow)] = {
        let table = SettingsTable.product
        let globals = table.globals.map { ($0.name, $0) }
        let fields = table.families.flatMap { family in family.rows.map { ("\(family.prefix)X_\($0.name)", $0) } }
        return (globals + fields).filter { $0.0 != "ENV_FILE" }  // read before the table is
    }()

    private static let cases = rows.flatMap { name, row in
        wrong(row.type).map { Case(name: name, value: $0, row: row) }
    }

    /// The first case of each row.
    private static let firstCases = rows.compactMap { row in cases.first { $0.name == row.0 } }

    /// Returns further settings that a field of an instance needs.
    private static func declaring(_ name: String) -> [(String, String)] {
        let all = [
            ("PROVIDER_X_KIND", "onemin"), ("KEY_X_TOKEN", "sk-relay"), ("PANEL_X_SUMMARY_MODEL", "gpt-4o-mini"),
            ("PANEL_X_MODELS", "gpt-4o"),
        ]
        if name.hasPrefix("GROUP_") { return [("KEY_X_TOKEN", "sk-relay"), ("KEY_X_GROUP", "x")] }
        let caller = name.contains("_X_API_KEY") ? [("KEY_Y_TOKEN", "token-of-a-caller")] : []
        return all.filter { $0.0 != name && name.hasPrefix($0.0.prefix(6)) } + caller
    }

    @Test("a wrong value of any setting is one clear line, without what is secret", arguments: cases)
    private func wrongValue(_ wrong: Case) {
        let texts = outcome(environment: [(wrong.name, wrong.value)] + Self.declaring(wrong.name)).problemTexts
        #expect(texts.count == 1, "\(texts)")
        #expect(texts.first?.hasPrefix("environment  \(wrong.name): ") == true, "\(texts)")
        #expect(texts.first?.contains(wrong.row.type.expectation) == true || wrong.row.type == .file, "\(texts)")
        #expect(texts.first?.contains("\n") == false)
        if wrong.row.trait == .secret && wrong.value.count > 1 { #expect(texts.first?.contains(wrong.value) == false) }
    }

    @Test("the same in a document, with its line, and in a file of its own", arguments: firstCases)
    private func wrongElsewhere(_ wrong: Case) {
        let escaped = wrong.value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        let texts = outcome(
            environment: Self.declaring(wrong.name),
            file: "# a document\n\(wrong.name)=\"\(escaped)\"\n"
        ).problemTexts
        #expect(texts.count == 1 && texts[0].hasPrefix(".env:2  \(wrong.name): "), "\(texts)")
        guard wrong.row.mayComeFromFile, wrong.row.type != .text else { return }
        let ofFile = outcome(
            environment: [(wrong.name + "_FILE", "/secret")] + Self.declaring(wrong.name),
            files: ["/secret": wrong.value + "\n"]
        ).problemTexts
        #expect(ofFile.count == 1 && ofFile[0].hasPrefix("environment  \(wrong.name)_FILE: "), "\(ofFile)")
        if wrong.value.count > 1 { #expect(!ofFile[0].contains(wrong.value)) }
    }

    /// Returns a valid value of each type that is close to an invalid one.
    private static func right(_ type: SettingType) -> String {
        switch type {
        case .text: "some words"
        case .boolean: "true"
        case .booleanOr("jwt"): "jwt"
        case .address: "127.0.0.1"
        case .url, .document, .proxy, .origins: "https://host:80"
        case .file, .path: "/file"
        case .list: "one"
        case .patterns, .models, .names: "gpt-4o,o3-mini"
        case .model, .label: "gpt-4o"
        case .token, .phrase, .tokens: "sk-0123456789abcdef"
        case .password: "correct horse"
        case .database: "postgres://relay:word@host:5432/usage"
        case .timeZone: "UTC"
        case .moment: "2027-01-31"
        case .weights, .weight, .temperature, .rate: "1.5"
        case .modelPrices: "gpt-4o=0.1/0.2"
        case .dollars: "0.00001"
        case .toolFees: "web_search=0.01"
        case .modelInfo: "gpt-4o=context:1000,tools:false"
        case .replacements: "o3-mini:gpt-4o"
        case .modelWeights: "gpt-4o=2"
        case .headers: "X-Team: a"
        case .limits: "60/minute;5 concurrent"
        case .modelLimits: "gpt*=60/minute"
        case .price: "0.1/0.2"
        case .networks: "10.0.0.0/8"
        case .host: "host"
        case .servers: "host:1"
        case .linkedPort: "11211"
        case .published: "127.0.0.1:80"
        case .listener: "127.0.0.1:81"
        default:
            largestNumber(type).map { "\($0)" } ?? longestTime(type)?.settingText
                ?? String(type.unit.split(separator: " ").last ?? "")
        }
    }

    /// Returns typical typing errors: a missing letter, a line break, another letter.
    private static func slips(_ text: String) -> [String] {
        let letters = Array(text)
        let (middle, last) = (letters.count / 2, letters.count - 1)
        return [(0, ""), (middle, "\n"), (last, "=")].map {
            String(letters[..<$0]) + $1 + String(letters[($0 + 1)...])
        }
    }

    @Test("a slip in any setting is taken as a value, or is one line that names it", arguments: rows)
    private func slip(_ name: String, _ row: SettingRow) {
        for value in Self.slips(Self.right(row.type)) where !value.isEmpty {
            let problems = outcome(
                environment: [(name, value)] + Self.declaring(name),
                files: ["/file": "text"]
            ).problems
            // Each item of a list may be invalid.
            #expect(
                problems.count <= ([.list, .words].contains(row.type) ? 2 : 1)
                    && problems.allSatisfy { $0.name == name },
                "\(value): \(problems)"
            )
            #expect(problems.allSatisfy { !$0.text.contains("\n") }, "\(problems)")
        }
    }

    @Test("no row is left out but those that take any text")
    func allRows() {
        let table = SettingsTable.product
        let rows = table.globals.filter { $0.name != "ENV_FILE" } + table.families.flatMap(\.rows)
        let texts = rows.filter { $0.type == .text }.map(\.name)
        let ofTokens = ["JWT_AUDIENCE", "JWT_CLAIM", "JWT_WHERE"]
        #expect(
            texts == ["BUDGET_CONTACT"] + ofTokens + ["SUMMARY_PROMPT", "VISION_SUMMARY_PROMPT", "REFERENCE_LABEL"]
        )
        #expect(Set(Self.cases.map(\.name)).count == rows.count - texts.count)
    }
}
