import Testing

@testable import Shared

/// Every row of the table, with a value that it must not take.
@Suite struct EveryRowTests {
    private struct Case: CustomTestStringConvertible {
        let name: String
        let value: String
        let row: SettingRow
        var testDescription: String { "\(name)=\(value)" }
    }

    /// Values that are none of a type's; empty where any text is one.
    private static func wrong(_ type: SettingType) -> [String] {
        switch type {
        case .text: []
        case .number(let range), .megabytes(let range): ["x", "\(range.upperBound + 1)", "-1", "1.5"]
        case .duration(let range): ["soon", "-1", (range.upperBound + .seconds(1)).settingText]
        case .boolean: ["ja", "2"]
        case .choice: ["something-else"]
        case .options: ["something-else", "user,off", ","]
        case .modelPrices: ["1", "a", "a=", "=1", "a=x", "a=1,a=2", "a b=1", ",", "a=1/2/3/4"]
        case .replacements: ["a", "a:", ":b", "a:b,a:c", "a b:c", "a:b c", ","]
        case .rate: ["0", "-1", "x", "1e3", "0.0001", "1000001"]
        case .address: ["example.org", "1.2.3"]
        case .url, .proxy: ["host", "ftp://host", "https://a b"]
        case .database:
            [
                "host/relay", "mysql://host/relay", "postgres://a b/relay", "postgres://me:p@ss@host/relay",
                "postgres://me:p/ss@host/relay",
            ]
        case .document: ["no-url", "ftp://a", "https://a b", "https://a#b"]
        case .origins: ["host", "https://host/path"]
        case .file: ["/nowhere"]
        case .path: ["a\tb"]
        case .list: [","]
        case .patterns: ["a*b", "a b", ","]
        case .models: ["a=", "a b", "a,a"]
        case .model: ["a b", "a\tb"]
        case .names: ["a b", ","]
        case .label: ["a b", String(repeating: "x", count: 65)]
        case .token: ["wrong secret-1234567890", "wröng-1234567890", String(repeating: "x", count: 513)]
        case .tokens: ["good,wrong secret-1234567890", ","]
        case .limits: ["60", "0/minute", "60 per fortnight", "1/minute;", "off;1/minute"]
        case .modelLimits: ["10/minute", "a b=1/s", "a*b=1/s", "a=60", "a=1/s,a=2/s", "=1/s", "a=", ","]
        case .price: ["x", "-1", "1/2/3/4", "0.1/", "/0.1", "1e-3", "0.0000000001", "1000.1", "$1", "1,2"]
        case .networks: ["10.0.0.0/33", "host", "10.0.0.0/", "::/129", "1.2.3.4/-1", ","]
        case .host: ["a b", "tcp://a", "a/b"]
        case .servers: ["a:0", "a:b", "a:", ":1", "a b"]
        case .linkedPort: ["0", "65536", "tcp://a", "tcp://a:x", "x"]
        case .published: ["x", "0", "65536", "host:80", "1.2.3.4:x", "10.0.0.0/8:80", "::1"]
        case .weight: ["-1", "x", "1e3", "1000001", "a=1"]
        case .temperature: ["-1", "x", "1e0", "2.1"]
        case .modelWeights: ["1", "a", "a=", "=1", "a=x", "a=1,a=2", "a b=1", ","]
        case .headers: ["no colon", "X: ", ": x", "X y: z", "Host: a", "X: a; Content-Length: 3", "X: \u{e4}"]
        case .weights: ["0", "-1", "x", "1,,a", "1e3", "nan", "1000001"]
        }
    }

    private static let cases: [Case] = {
        let table = SettingsTable.product
        let globals = table.globals.map { ($0.name, $0) }
        let fields = table.families.flatMap { family in family.rows.map { ("\(family.prefix)X_\($0.name)", $0) } }
        return (globals + fields).filter { $0.0 != "ENV_FILE" }  // read before the table is
            .flatMap { name, row in wrong(row.type).map { Case(name: name, value: $0, row: row) } }
    }()

    @Test("a wrong value of any setting is one clear line, without what is secret", arguments: cases)
    private func wrongValue(_ wrong: Case) {
        var environment = [(wrong.name, wrong.value)]
        let declaring = [
            ("PROVIDER_X_KIND", "onemin"), ("KEY_X_TOKEN", "sk-relay"), ("PANEL_X_SUMMARY_MODEL", "gpt-4o-mini"),
            ("PANEL_X_MODELS", "gpt-4o"),
        ]
        for (name, value) in declaring
        where wrong.name != name && wrong.name.hasPrefix(name.prefix(6)) {
            environment.append((name, value))
        }
        let texts = outcome(environment: environment).problemTexts
        #expect(texts.count == 1, "\(texts)")
        #expect(texts.first?.hasPrefix("environment  \(wrong.name): ") == true, "\(texts)")
        #expect(texts.first?.contains(wrong.row.type.expectation) == true || wrong.row.type == .file, "\(texts)")
        #expect(texts.first?.contains("\n") == false)
        if wrong.row.trait == .secret && wrong.value.count > 1 { #expect(texts.first?.contains(wrong.value) == false) }
    }

    @Test("no row is left out but those that take any text")
    func allRows() {
        let table = SettingsTable.product
        let rows = table.globals.filter { $0.name != "ENV_FILE" } + table.families.flatMap(\.rows)
        let texts = rows.filter { $0.type == .text }.map(\.name)
        #expect(texts == ["SUMMARY_PROMPT", "VISION_SUMMARY_PROMPT", "REFERENCE_LABEL"])
        #expect(Set(Self.cases.map(\.name)).count == rows.count - texts.count)
    }
}
