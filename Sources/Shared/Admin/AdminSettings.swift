package import Engine
package import Limits

/// The settings of the admin pages: the login, the socket that serves the pages, and the records that they show.
package struct AdminSettings: Sendable, Equatable {
    package let username: String
    package let password: Digest
    /// The password of users who may only read; nil if there is none.
    package let viewerPassword: Digest?
    /// The largest number of request records that are kept in memory for the admin pages.
    package let records: Int
    /// The largest number of bytes of each body that a request record keeps; nil if records keep no bodies.
    package let bodyLimitBytes: Int?
    package let sessionHours: Int
    /// The secret that signs sessions; nil if the process uses its own random secret.
    package let sessionSecret: String?
    /// The address of a separate socket for the admin pages; nil if the public socket serves them.
    package let listener: MemcachedAddress?

    /// Reads the settings of the admin pages; nil if no password is set.
    init?(_ reader: inout SettingsReader) {
        guard let password = reader.text("ADMIN_PASSWORD") else { return nil }
        username = reader.text("ADMIN_USERNAME") ?? ""
        self.password = Digest(of: password)
        let viewerPassword = reader.text("ADMIN_VIEWER_PASSWORD")
        self.viewerPassword = viewerPassword.map { Digest(of: $0) }
        records = reader.number("ADMIN_LOG_ENTRIES")
        let bodyBytes = reader.number("ADMIN_BODY_KB") * 1_024
        bodyLimitBytes = reader.boolean("ADMIN_LOG_BODIES") ? bodyBytes : nil
        sessionHours = reader.number("ADMIN_SESSION_HOURS")
        sessionSecret = reader.text("ADMIN_SESSION_SECRET")
        if password == username { reader.report("ADMIN_PASSWORD", "must differ from ADMIN_USERNAME") }
        if viewerPassword == password { reader.report("ADMIN_VIEWER_PASSWORD", "must differ from ADMIN_PASSWORD") }
        if viewerPassword == username { reader.report("ADMIN_VIEWER_PASSWORD", "must differ from ADMIN_USERNAME") }
        listener = reader.adminListener()
    }
}

extension AdminSettings {
    /// The passwords with which users can log in; the first one also allows changes.
    var passwords: [Digest] { [password] + [viewerPassword].compactMap(\.self) }

    /// Returns the operator's password in the settings of this process; nil if they have none.
    package static func passwordOfProcess() -> String? {
        SettingsReader.ofProcess(.orInstalled).text("ADMIN_PASSWORD")
    }
}

extension SettingsReader {
    /// Returns the address of `ADMIN_LISTEN`; nil if the setting is missing.
    fileprivate mutating func adminListener() -> MemcachedAddress? {
        guard let address = text("ADMIN_LISTEN").flatMap({ MemcachedAddress($0) }) else { return nil }
        let hosts: Set<String> = [address.host, text("HOST") ?? ""]
        let areSame = hosts.count == 1 || !hosts.isDisjoint(with: ["0.0.0.0", "::"])
        if Int(address.port) == number("PORT"), areSame {
            report("ADMIN_LISTEN", "is the address that HOST and PORT give to the API; choose another port")
        }
        return address
    }
}

extension SettingSection {
    static let admin = SettingSection(
        "Admin pages",
        SettingRow("ADMIN_USERNAME", .token, "admin").help("user name for logging in"),
        SettingRow("ADMIN_PASSWORD", .password, trait: .secret)
            .help("password for logging in; default: the admin pages are off"),
        SettingRow("ADMIN_VIEWER_PASSWORD", .password, trait: .secret)
            .help("second password for logging in, with which the admin pages can be read only; default: none"),
        SettingRow("ADMIN_LISTEN", .listener)
            .help(
                "address and port of a separate socket for /admin, /health and /metrics; default: the socket of HOST and PORT"
            ),
        SettingRow("ADMIN_LOG_ENTRIES", .number(1...1_000_000), "10000")
            .help("maximum number of request records in memory"),
        SettingRow("ADMIN_LOG_BODIES", .boolean, "false")
            .help("true: request records include bodies of requests and responses"),
        SettingRow("ADMIN_BODY_KB", .number(1...256), "16")
            .help("kilobytes of each body that a record includes with ADMIN_LOG_BODIES"),
        SettingRow("ADMIN_TIMEZONE", .timeZone).help("older name of TIMEZONE"),
        SettingRow("ADMIN_SESSION_HOURS", .number(1...8_760), "168").help("hours after which a login expires"),
        SettingRow("ADMIN_SESSION_SECRET", .token, trait: .secret)
            .help(
                "secret that signs logins, the same for all relays that share a memcached; default: a new secret at each start"
            )
    )
}
