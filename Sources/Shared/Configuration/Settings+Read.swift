import Engine

extension Settings {
    /// The result of reading the settings: either valid settings, or the problems that make them invalid.
    package struct Outcome: Sendable {
        /// The valid settings; nil if there are problems.
        package let settings: Settings?
        package let problems: [SettingsProblem]
        package internal(set) var warnings: [SettingsProblem]
        package let effective: [EffectiveSetting]
        /// The places from which the settings were read, such as `/srv/.env and the environment`.
        package let sources: String
        /// The name of the settings file that has settings; nil if there is none.
        package let file: String?
        /// The database of usage records, also if there are problems; nil if there is none.
        package let usageDatabase: UsageDatabaseSettings?
        /// Whether the settings are missing only because the remote settings document could not be downloaded.
        package internal(set) var isUnavailable = false

        /// The names of all settings with a value, including default values.
        package var givenNames: Set<String> { Set(effective.lazy.filter { !$0.shown.isEmpty }.map(\.name)) }
    }

    /// The relay's IP address and port, for health checks.
    package struct Address: Sendable {
        package let host: String
        package let port: Int

        package static func ofProcess() -> Address {
            let reader = SettingsReader.ofProcess(.ofService)
            return Address(host: reader.text("HOST") ?? "", port: reader.number("PORT"))
        }
    }

    /// Returns the setting of this process that declares the caller of a NAME, and its place; nil if none does. Downloads no
    /// document of settings.
    package static func declaration(ofKey instance: String) -> (setting: String, place: String)? {
        let reader = SettingsReader.ofProcess(.orInstalled)
        let fields = reader.table.families.first { $0.prefix == "KEY_" }?.declaring ?? []
        let key = fields.map { KeySettings.key(instance, $0) }.first { reader.given[$0] != nil }
        return key.map { ($0.name, reader.location($0)) }
    }

    /// Reads and checks all settings, and reports all problems at once.
    /// - Parameters:
    ///   - sources: the sources of settings; an earlier source overrides a later one.
    ///   - readFile: returns the content of a file that a setting such as `KEY_A_TOKEN_FILE` names.
    package static func read(
        _ sources: [SettingsSource],
        _ catalogues: Catalogues,
        table: SettingsTable = .product,
        usableBytes: Int = usableMemory(),
        readFile: @escaping (String) throws(FileProblem) -> [UInt8]
    ) -> Outcome {
        var reader = SettingsReader(sources, table: table, readFile: readFile)
        let first = reader
        let settings = Settings(&reader, catalogues, usableBytes: usableBytes)
        // Further problems may only follow from what the lost lines set.
        let told = reader.lacksLines ? first : reader
        return Outcome(
            settings: reader.problems.isEmpty ? settings : nil,
            problems: told.problems.byPlace,
            warnings: told.warnings.byPlace,
            effective: reader.effective,
            sources: sources.places,
            file: sources.file,
            usageDatabase: settings.usageDatabase
        )
    }

    private static let contactLimitBytes = 200

    private static func budgetContact(_ reader: inout SettingsReader) -> String? {
        let text = reader.text("BUDGET_CONTACT")
        if let text, text.utf8.count > contactLimitBytes {
            reader.report("BUDGET_CONTACT", "has more than \(contactLimitBytes) characters")
        }
        return text
    }

    private static func budgetAlerts(_ reader: inout SettingsReader) -> (contact: String?, url: String?, marks: [Int]) {
        let marks = reader.list("BUDGET_ALERTS").map { Int($0).flatMap { (1...100).contains($0) ? $0 : nil } }
        if marks.contains(nil) { reader.report("BUDGET_ALERTS", "must be percentages from 1 to 100, such as 80,100") }
        return (budgetContact(&reader), reader.text("BUDGET_ALERT_URL"), marks.compactMap(\.self).sorted())
    }

    private init(_ reader: inout SettingsReader, _ catalogues: Catalogues, usableBytes: Int) {
        (host, port, threads) = (reader.text("HOST") ?? "", reader.number("PORT"), reader.number("THREADS"))
        publicURL = reader.text("PUBLIC_URL")
        hasUsagePage = reader.boolean("PUBLIC_USAGE_PAGE")
        recordedUsers = reader.word("USAGE_USERS") ?? .off
        notFoundURL = reader.text("NOT_FOUND_REDIRECT_URL")
        corsOrigins = reader.list("CORS_ORIGINS")
        let memoryBytes: Int
        (memoryBytes, maxBodyBytes) = reader.readMemory(usableBytes: usableBytes)
        (maxImages, maxUploadBytes) = (reader.number("MAX_IMAGES"), reader.number("MAX_UPLOAD_MB"))
        shutdownSeconds = Double(reader.duration("SHUTDOWN_SECONDS").nanoseconds) / 1e9
        metricsToken = reader.text("METRICS_TOKEN").map { Digest(of: $0) }
        reader.warnIfShort("METRICS_TOKEN", reader.text("METRICS_TOKEN").map { [$0] } ?? [])
        upstreamProxy = reader.text("UPSTREAM_PROXY")
        certificateFile = reader.text("SSL_CERT_FILE") ?? SystemCertificates.file()
        (timeZone, keys) = (reader.readTimeZone(), KeySettings.all(&reader))
        anonymousModels = reader.patterns("ANONYMOUS_MODELS")
        limits = LimitSettings(&reader)
        (budgetContact, budgetAlertURL, budgetMarks) = Self.budgetAlerts(&reader)
        memory = MemorySettings(bytes: memoryBytes, hasStore: limits.store != .memory)
        cache = reader.readCache(memory, limits, maxBodyBytes: maxBodyBytes)
        fetch = FetchSettings(reader)
        fileSecret = reader.text("FILE_ID_SECRET")
        reader.refuseShortSecret("FILE_ID_SECRET")
        permittedModels = reader.list("SUBSET_OF_ONE_MIN_PERMITTED_MODELS")
        isSubsetOnly = reader.boolean("PERMIT_MODELS_FROM_SUBSET_ONLY")
        defaultModel = reader.text("DEFAULT_MODEL")
        fallbackModel = reader.text("FALLBACK_MODEL")
        generateModel = reader.text("GENERATE_MODEL")
        keepsLinks = reader.text("ONE_MIN_LINKS") != "off"
        replacements = reader.value("MODEL_REPLACEMENTS") ?? [:]
        modelsRefresh = reader.duration("ONE_MIN_MODELS_REFRESH")
        if modelsRefresh > .zero && modelsRefresh < .seconds(1) {
            reader.report("ONE_MIN_MODELS_REFRESH", "must be 0 or at least 1s")
        }
        remoteLocation = RemoteLocation(reader)
        admin = AdminSettings(&reader)
        reloadAccess = reader.word("RELOAD_ACCESS") ?? (admin == nil ? .local : .admin)
        reader.refuseShortSecret("ADMIN_SESSION_SECRET")
        traceURL = reader.text("OTEL_EXPORTER_OTLP_ENDPOINT")
        let isMissing = "this version does not support tracing yet: no traces are sent"
        reader.warnIfGiven(["OTEL_EXPORTER_OTLP_ENDPOINT"], isMissing)
        reader.warnOfLogins(admin, reloadAccess, limits: limits)
        logLevel = reader.word("LOG_LEVEL") ?? .info
        logFormat = reader.word("LOG_FORMAT") ?? .text
        usageFile = UsageFileSettings(reader)
        usageDatabase = UsageDatabaseSettings(&reader)
        dataFolder = reader.text("DATA_DIR")
        balance = BalanceSettings(reader)
        providers = ProviderSettings.all(&reader)
        panels = Panel.all(&reader)
        reader.check(self, catalogues)
        reader.checkPlaces()
    }
}

extension SettingsReader {
    /// Checks settings that may stand in some places only.
    fileprivate mutating func checkPlaces() {
        for (key, value) in given where value.location.hasPrefix("CONFIG_URL") {
            switch key {
            case "CONFIG_URL", "CONFIG_KEY", "CONFIG_REQUIRED", "CONFIG_REFRESH_SECONDS":
                report(key, "can only be set in the process environment and the .env file")
            case "HOST", "PORT":
                warn(key, "`relay health` does not see it here; set it in the process environment or the .env file")
            default: break
            }
        }
        if let file = given["ENV_FILE"], file.location != "environment" {
            report("ENV_FILE", "can only be set in the process environment")
        }
    }

    /// Returns the name of the time zone in which days begin. Reports two different ones.
    fileprivate mutating func readTimeZone() -> String {
        if let older = given["ADMIN_TIMEZONE"]?.text, let newer = given["TIMEZONE"]?.text, older != newer {
            report("ADMIN_TIMEZONE", "is an older name of TIMEZONE, which is set to another zone; remove this line")
        }
        return timeZone
    }

    /// Warns if `RELOAD_ACCESS` allows nobody. Also warns if logins are enabled and memcached servers are set, but not
    /// `ADMIN_SESSION_SECRET`.
    fileprivate mutating func warnOfLogins(_ admin: AdminSettings?, _ access: ReloadAccess, limits: LimitSettings) {
        guard let admin else {
            if access == .admin {
                warn("RELOAD_ACCESS", "admin allows nobody without ADMIN_PASSWORD; set ADMIN_PASSWORD, or use local")
            }
            return
        }
        if case .servers = limits.store, admin.sessionSecret == nil {
            warn(
                "ADMIN_SESSION_SECRET",
                "is not set, so a login is valid for one relay only; set the same secret for all relays that share memcached"
            )
        }
    }

    /// The effective values of all global settings, and the set fields of providers, callers and panels.
    fileprivate var effective: [EffectiveSetting] {
        let globals = table.globals.map { SettingKey.global($0.name) }
        let fields = table.families.flatMap { family in
            instances(of: family.prefix).flatMap { instance in
                family.rows.map { SettingKey(prefix: family.prefix, instance: instance, field: $0.name) }
            }
        }
        return globals.map(effective) + fields.map(effective).filter { !$0.shown.isEmpty }
    }

    private func effective(_ key: SettingKey) -> EffectiveSetting {
        let row = row(key)
        let given = given[origin(of: key)]
        let text = given?.text ?? derived[key]?.text ?? row.fallback
        return EffectiveSetting(name: key.name, shown: row.shown(text), location: given?.location ?? "default")
    }
}
