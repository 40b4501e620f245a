package import Engine

/// The login of the admin pages, and the records that these show. The settings are checked; nothing serves the pages yet.
package struct AdminSettings: Sendable, Equatable {
    package let username: String
    package let password: Digest
    /// Records that are kept in memory.
    package let records: Int
    /// Records hold the bodies of requests and answers.
    package let keepsBodies: Bool
    /// A name of the time zone database; statistics count days by it.
    package let timeZone: String
    package let sessionHours: Int
    /// A secret that signs sessions; nil: one of this process alone.
    package let sessionSecret: String?

    /// Nil: there is no password, so there are no pages.
    init?(_ reader: inout SettingsReader) {
        guard let password = reader.text("ADMIN_PASSWORD") else {
            reader.warnOfLonelyAdminSettings()
            return nil
        }
        username = reader.text("ADMIN_USERNAME") ?? ""
        self.password = Digest(of: password)
        records = reader.number("ADMIN_LOG_ENTRIES")
        keepsBodies = reader.boolean("ADMIN_LOG_BODIES")
        timeZone = reader.text("ADMIN_TIMEZONE") ?? ""
        sessionHours = reader.number("ADMIN_SESSION_HOURS")
        sessionSecret = reader.text("ADMIN_SESSION_SECRET")
        if password == username { reader.note("ADMIN_PASSWORD", "is the same as ADMIN_USERNAME") }
        reader.warn(
            "ADMIN_PASSWORD",
            "this version has no admin pages yet: the ADMIN_ settings are checked and do nothing, /admin is 404"
        )
    }
}

extension SettingsReader {
    /// Settings of pages that no password turns on.
    fileprivate mutating func warnOfLonelyAdminSettings() {
        let rows = SettingSection.admin.rows.map { SettingKey.global($0.name) }
        guard !problems.contains(where: { $0.name?.hasPrefix("ADMIN_PASSWORD") ?? false }) else { return }
        for key in rows where given[key] != nil { warn(key, "does nothing without ADMIN_PASSWORD") }
    }
}

extension SettingSection {
    static let admin = SettingSection(
        "Admin pages (not in this version yet: the values are checked, nothing is served)",
        [
            SettingRow("ADMIN_USERNAME", .token, "admin", "name to log in with"),
            SettingRow(
                "ADMIN_PASSWORD",
                .password,
                "",
                "password to log in with; unset: there are no admin pages",
                .secret
            ),
            SettingRow("ADMIN_LOG_ENTRIES", .number(1...1_000_000), "10000", "records of requests kept in memory"),
            SettingRow("ADMIN_LOG_BODIES", .boolean, "false", "true: records hold the bodies of requests and answers"),
            SettingRow("ADMIN_TIMEZONE", .timeZone, "UTC", "time zone in which statistics count days"),
            SettingRow("ADMIN_SESSION_HOURS", .number(1...8_760), "168", "hours until a login ends"),
            SettingRow(
                "ADMIN_SESSION_SECRET",
                .token,
                "",
                "secret that signs logins; unset: a new one at each start",
                .secret
            ),
        ]
    )
}
