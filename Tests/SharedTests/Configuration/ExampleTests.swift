import Glibc
import Testing

@testable import Shared

@Suite struct ExampleTests {
    private static let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/"

    @Test(
        "the pages in the repository are the table's; UPDATE_EXAMPLE=1 writes them",
        arguments: [
            (".env.example", SettingsTable.product.example), ("docs/settings.md", SettingsTable.product.reference),
        ]
    )
    func isCurrent(page: String, text: String) throws {
        let path = Self.root + page
        if getenv("UPDATE_EXAMPLE") != nil {
            let file = try #require(fopen(path, "w"))
            fputs(text, file)
            fclose(file)
        }
        #expect(String(decoding: try readSettingsFile(path), as: UTF8.self) == text)
    }

    @Test("each line of the example is a known name with a value that is taken")
    func isValid() {
        let lines = SettingsTable.product.example.split(separator: "\n")
            .filter { $0.first == "#" && $0.dropFirst().first != " " }
            .map { $0.dropFirst() }
        #expect(lines.count > 20)
        for line in lines {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let match = SettingsTable.product.match(String(parts[0]))
            #expect(match != nil, "\(line)")
            #expect(parts[1].isEmpty || match?.row.type.value(of: String(parts[1])) != nil, "\(line)")
        }
    }

    @Test("the help text names every setting")
    func help() {
        let help = SettingsTable.product.help
        for row in SettingsTable.product.globals { #expect(help.contains("  \(row.name) ")) }
        for family in SettingsTable.product.families {
            for row in family.rows { #expect(help.contains("  \(family.prefix)<NAME>_\(row.name) ")) }
        }
    }

    @Test("no variable is named twice, and every fallback is a value of its type")
    func tableIsSound() {
        let table = SettingsTable.product
        let names = table.globals.map(\.name)
        #expect(Set(names).count == names.count)
        for row in table.globals + table.families.flatMap(\.rows) where !row.fallback.isEmpty {
            #expect(row.type.value(of: row.fallback) != nil, "\(row.name)")
        }
    }

    /// Values that some types refuse.
    private static let odd = [
        "\u{1}", "-1", "99999999999999999999", "some word", "=", ",,", "a=b=c", "http//:x", "a b", "1h1", "x=",
        "/nowhere", "a,a",
    ]

    @Test("a bad value of any setting is one problem, which names it and says what is right")
    func badValues() {
        let table = SettingsTable.product
        let rows =
            table.globals.map { (SettingKey.global($0.name), $0) }
            + table.families.flatMap { family in
                family.rows.map { (SettingKey(prefix: family.prefix, instance: "X", field: $0.name), $0) }
            }
        for (key, row) in rows {
            // It names the file with the others.
            if row.name == "ENV_FILE" { continue }
            let refused = Self.odd.first { row.type.value(of: $0) == nil }
            guard let bad = row.type == .file ? "/nowhere" : refused else {
                #expect([.text, .list, .model].contains(row.type), "nothing is refused as \(key.name)")
                continue
            }
            var entries = [
                ("KEY_X_TOKEN", "a-token-that-is-long-enough"), ("PROVIDER_X_KIND", "onemin"),
                ("PROVIDER_X_API_KEY", "k"),
            ]
            entries.removeAll { $0.0 == key.name }
            let outcome = Settings.read(
                [.environment(entries + [(key.name, bad)])],
                [:],
                usableBytes: 16 << 30
            ) { _ throws(FileProblem) in throw FileProblem(text: "no files", isAbsence: true) }
            let named = outcome.problems.filter { $0.name == key.name }
            #expect(outcome.settings == nil && named.count == 1, "\(key.name)=\(bad): \(outcome.problems)")
            #expect(named.allSatisfy { !$0.text.contains("\n") && $0.text.utf8.count > 10 })
        }
    }
}
