package struct UsageFileSettings: Sendable, Equatable {
    /// The path of the file; nil for standard output.
    package let path: String?
    /// The size at which a new file is started, in bytes.
    package let maxBytes: Int
    /// The largest number of files that are kept, including the current one.
    package let files: Int
}

extension UsageFileSettings {
    /// Reads the settings of the usage file. Returns nil if no file is configured.
    init?(_ reader: SettingsReader) {
        guard let path = reader.text("USAGE_LOG_FILE") else { return nil }
        self.path = path == "-" ? nil : path
        maxBytes = reader.number("USAGE_LOG_MAX_MB")
        files = reader.number("USAGE_LOG_FILES")
    }
}

package struct UsageDatabaseSettings: Sendable, Equatable {
    package enum DatabaseLocation: Sendable, Equatable {
        /// The folder that contains the SQLite database, from `DATA_DIR`.
        case folder(String)
        /// The URL of a PostgreSQL server, including its password. It must not be logged.
        case server(String)
    }

    package let location: DatabaseLocation
    /// The number of days for which records are kept; 0 if they are kept without limit.
    package let days: Int
    /// The size of the SQLite database at which the oldest records are deleted, in bytes.
    package let maxBytes: Int
    /// The name of the time zone in which the daily sums count days.
    private let zoneName: String

    package init(_ location: DatabaseLocation, days: Int, maxBytes: Int, zone: String = "UTC") {
        self.location = location
        self.days = days
        self.maxBytes = maxBytes
        zoneName = zone
    }

    package var zone: DayZone { DayZone(named: zoneName) }
}

extension UsageDatabaseSettings {
    /// Reads the settings of the database. Returns nil if no database is configured.
    init?(_ reader: inout SettingsReader) {
        let location: DatabaseLocation
        if let url = reader.text("USAGE_DATABASE_URL") {
            location = .server(url)
            reader.warnIfGiven(
                ["USAGE_DATA_MAX_MB"],
                "has no effect: it limits the database in DATA_DIR, but records are written to USAGE_DATABASE_URL"
            )
        } else if let folder = reader.text("DATA_DIR") {
            location = .folder(folder)
            if reader.number("RELAYS") > 1 {
                reader.warn(
                    "RELAYS",
                    "DATA_DIR is for one relay only; several share USAGE_DATABASE_URL (with Compose: deploy/postgres.yml)"
                )
            }
        } else {
            let text = "has no effect without DATA_DIR or USAGE_DATABASE_URL"
            reader.warnIfGiven(["USAGE_DATA_DAYS", "USAGE_DATA_MAX_MB"], text)
            return nil
        }
        let days = reader.number("USAGE_DATA_DAYS")
        if 1..<31 ~= days {
            reader.warn("USAGE_DATA_DAYS", "sums of a month, as of keys, lack older records; 31 keeps a whole month")
        }
        self.init(
            location,
            days: days,
            maxBytes: reader.number("USAGE_DATA_MAX_MB"),
            zone: reader.timeZone
        )
    }
}

extension SettingsReader {
    /// The name of the time zone in which days begin.
    var timeZone: String {
        let older = given["TIMEZONE"] == nil ? given["ADMIN_TIMEZONE"]?.text : nil
        return older ?? text("TIMEZONE") ?? "UTC"
    }
}

extension SettingSection {
    static let usage = SettingSection(
        "Usage records",
        SettingRow("USAGE_LOG_FILE", .path)
            .help("file for usage records, one JSON object per line; -: standard output"),
        SettingRow("USAGE_LOG_MAX_MB", .megabytes(1...1_048_576), "10").help("size at which a new file is started"),
        SettingRow("USAGE_LOG_FILES", .number(1...1_000), "5")
            .help("number of files that are kept, including the current one"),
        SettingRow("DATA_DIR", .path)
            .help(
                "folder for persistent data: the database of usage records, counters of limits without memcached, responses cached with CACHE_STORE=data; created if its parent exists"
            ),
        SettingRow("USAGE_DATABASE_URL", .database, trait: .secret)
            .help("PostgreSQL database for usage records, instead of the one in DATA_DIR; several relays can share it"),
        SettingRow("USAGE_USERS", .choice(["off", "digest", "plain"]), "off")
            .help(
                "end users in usage records, as RATE_LIMIT_USER_FROM finds them; digest: a keyed digest of their ids"
            ),
        SettingRow("TIMEZONE", .timeZone, "UTC")
            .help("time zone in which days begin: of sums, of /v1/usage, and of the last day of a key"),
        SettingRow("USAGE_DATA_DAYS", .number(0...36_500), "90")
            .help("number of days that a database keeps usage records; 0: forever"),
        SettingRow("USAGE_DATA_MAX_MB", .megabytes(1...16_777_216), "1024")
            .help("size of the database in DATA_DIR at which the oldest records are deleted")
    )
}
