/// The file of usage records.
package struct UsageFileSettings: Sendable, Equatable {
    /// Nil: standard output.
    package let path: String?
    /// Of one file.
    package let mostBytes: Int
    /// With those that were replaced.
    package let files: Int
}

extension UsageFileSettings {
    /// Nil: none is written.
    init?(_ reader: SettingsReader) {
        guard let path = reader.text("USAGE_LOG_FILE") else { return nil }
        self.path = path == "-" ? nil : path
        mostBytes = reader.number("USAGE_LOG_MAX_MB")
        files = reader.number("USAGE_LOG_FILES")
    }
}

extension SettingSection {
    static let usage = SettingSection(
        "Usage records",
        [
            SettingRow("USAGE_LOG_FILE", .path, "", "file of usage records, as lines of JSON; -: standard output"),
            SettingRow("USAGE_LOG_MAX_MB", .megabytes(1...1_048_576), "10", "size at which a new file is begun"),
            SettingRow(
                "USAGE_LOG_FILES",
                .number(1...1_000),
                "5",
                "number of files that are kept, with the present one"
            ),
        ]
    )
}
