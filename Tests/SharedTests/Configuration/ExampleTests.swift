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
            #expect(parts[1].isEmpty || match?.row.type.value(String(parts[1])) != nil, "\(line)")
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

    @Test("no variable is listed twice, each has a help text, and every fallback is a value of its type")
    func tableIsSound() {
        let table = SettingsTable.product
        let names = table.globals.map(\.name)
        #expect(Set(names).count == names.count)
        for row in table.globals + table.families.flatMap(\.rows) {
            #expect(!row.help.isEmpty, "\(row.name)")
            #expect(row.fallback.isEmpty || row.type.value(row.fallback) != nil, "\(row.name)")
        }
    }
}
