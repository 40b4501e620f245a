import Engine

extension Settings {
    /// The settings that the sources give, or their problems.
    package struct Outcome: Sendable {
        /// Nil where there are problems.
        package let settings: Settings?
        package let problems: [SettingsProblem]
        package let warnings: [SettingsProblem]
        package let effective: [EffectiveSetting]
        /// The remote document could not be had, though it is required.
        package fileprivate(set) var isUnavailable = false
    }

    /// The address that a relay with the settings of this process listens on, whatever else is wrong with them. A remote
    /// document is not asked.
    package struct Address: Sendable {
        package let host: String
        package let port: Int

        package static func ofProcess() -> Address {
            let reader = SettingsReader(SettingsSource.ofProcess(), table: .product, readFile: readSettingsFile)
            return Address(host: reader.text("HOST") ?? "", port: reader.number("PORT"))
        }
    }

    /// The remote document as it was read last.
    package struct Remote: Sendable, Equatable {
        fileprivate let url: String
        fileprivate let tag: String
        fileprivate let bytes: [UInt8]
    }

    /// Reads the settings of this process: its environment, its `.env` file, and the remote document that these name.
    /// Blocks.
    ///
    /// - Parameter remote: the document as it was read last, which is replaced.
    package static func ofProcess(_ catalogues: Catalogues, _ remote: inout Remote?) -> Outcome {
        var sources = SettingsSource.ofProcess()
        let reader = SettingsReader(sources, table: .product, readFile: readSettingsFile)
        var isUnavailable = false
        if let url = reader.text("CONFIG_URL") {
            let source = document(at: url, reader, &remote, &isUnavailable)
            sources.insert(source, at: 1)
        }
        var outcome = read(sources, catalogues, readFile: readSettingsFile)
        outcome.isUnavailable = isUnavailable
        return outcome
    }

    private static func document(
        at url: String,
        _ reader: SettingsReader,
        _ remote: inout Remote?,
        _ isUnavailable: inout Bool
    ) -> SettingsSource {
        let download = Download(
            url,
            agent: Product.name,
            proxy: reader.text("UPSTREAM_PROXY") ?? "",
            certificateFile: reader.text("SSL_CERT_FILE")
        )
        let place = reader.place("CONFIG_URL")
        func problem(_ text: String) -> SettingsSource {
            let problem = SettingsProblem(place: place, name: "CONFIG_URL", text: text)
            return SettingsSource(name: "CONFIG_URL", isEnvironment: false, entries: [], problems: [problem])
        }
        let known = remote?.url == url ? remote : nil
        let bytes: [UInt8]
        switch download.get(unless: known?.tag) {
        case .failed(let cause):
            isUnavailable = reader.boolean("CONFIG_REQUIRED")
            guard isUnavailable else { return .document(named: "CONFIG_URL", known?.bytes ?? []) }
            return problem("the document cannot be read: \(cause)")
        case .unchanged: bytes = known?.bytes ?? []
        case .document(let found, let tag):
            bytes = found
            remote = tag.map { Remote(url: url, tag: $0, bytes: found) }
        }
        do throws(FileProblem) {
            let text = try RemoteDocument.opened(bytes, key: reader.text("CONFIG_KEY"))
            guard !RemoteDocument.looksLikeYAML(text) else {
                return problem("the document is YAML; it has to be lines of NAME=value, as in .env.example")
            }
            return .document(named: "CONFIG_URL", text)
        } catch {
            return problem(error.text)
        }
    }

    /// Checks everything and reports all problems at once.
    /// - Parameters:
    ///   - sources: stronger first.
    ///   - catalogues: models that the settings may name.
    ///   - usableBytes: memory of the container or machine.
    ///   - readFile: gives the files that `X_FILE` settings name.
    package static func read(
        _ sources: [SettingsSource],
        _ catalogues: Catalogues,
        table: SettingsTable = .product,
        usableBytes: Int = usableMemory(),
        readFile: @escaping (String) throws(FileProblem) -> [UInt8]
    ) -> Outcome {
        var reader = SettingsReader(sources, table: table, readFile: readFile)
        let settings = Settings(&reader, catalogues, usableBytes: usableBytes)
        return Outcome(
            settings: reader.problems.isEmpty ? settings : nil,
            problems: reader.problems,
            warnings: reader.warnings,
            effective: reader.effective
        )
    }

    private init(_ reader: inout SettingsReader, _ catalogues: Catalogues, usableBytes: Int) {
        host = reader.text("HOST") ?? ""
        port = reader.number("PORT")
        threads = reader.number("THREADS")
        publicURL = reader.text("PUBLIC_URL")
        notFoundURL = reader.text("NOT_FOUND_REDIRECT_URL")
        corsOrigins = reader.list("CORS_ORIGINS")
        let memoryBytes: Int
        (memoryBytes, maxBodyBytes) = reader.readMemory(usableBytes: usableBytes)
        maxUploadBytes = reader.number("MAX_UPLOAD_MB")
        shutdownSeconds = Double(reader.duration("SHUTDOWN_SECONDS").nanoseconds) / 1e9
        metricsToken = reader.text("METRICS_TOKEN").map { Digest(of: $0) }
        reader.warnIfShort("METRICS_TOKEN", reader.text("METRICS_TOKEN").map { [$0] } ?? [])
        upstreamProxy = reader.text("UPSTREAM_PROXY")
        certificateFile = reader.text("SSL_CERT_FILE")
        keys = KeySettings.all(&reader)
        anonymousModels = reader.patterns("ANONYMOUS_MODELS")
        limits = LimitSettings(&reader)
        memory = MemorySettings(bytes: memoryBytes, hasStore: limits.store != .memory)
        fetch = FetchSettings(reader)
        fileSecret = reader.text("FILE_ID_SECRET")
        reader.refuseShortSecret("FILE_ID_SECRET")
        permittedModels = reader.list("SUBSET_OF_ONE_MIN_PERMITTED_MODELS")
        isSubsetOnly = reader.boolean("PERMIT_MODELS_FROM_SUBSET_ONLY")
        defaultModel = reader.text("DEFAULT_MODEL")
        fallbackModel = reader.text("FALLBACK_MODEL")
        generateModel = reader.text("GENERATE_MODEL")
        keepsLinks = reader.text("ONE_MIN_LINKS") != "off"
        replacements = reader.replacements("MODEL_REPLACEMENTS")
        modelsRefresh = reader.duration("ONE_MIN_MODELS_REFRESH")
        if modelsRefresh > .zero && modelsRefresh < .seconds(1) {
            reader.note("ONE_MIN_MODELS_REFRESH", "is not 0 and not at least 1s")
        }
        refreshPause = reader.text("CONFIG_URL") == nil ? .zero : reader.duration("CONFIG_REFRESH_SECONDS")
        reloadAccess = reader.text("RELOAD_ACCESS").flatMap(ReloadAccess.init) ?? .local
        logLevel = reader.text("LOG_LEVEL").flatMap(LogLevel.init) ?? .info
        logFormat = reader.text("LOG_FORMAT").flatMap(LogFormat.init) ?? .text
        balance = BalanceSettings(reader)
        providers = ProviderSettings.all(&reader)
        panels = Panel.all(&reader)
        reader.judge(self, catalogues)
        for name in ["CONFIG_URL", "CONFIG_KEY"]
        where reader.given[.global(name)]?.place.hasPrefix("CONFIG_URL") ?? false {
            reader.note(.global(name), "is read from the process environment and the .env file only")
        }
        if let given = reader.given["ENV_FILE"], given.place != "environment" {
            reader.note("ENV_FILE", "is read from the process environment only")
        }
    }
}

extension SettingsReader {
    /// All global settings, then those of each instance of a family, as far as they have a value.
    fileprivate var effective: [EffectiveSetting] {
        let globals = table.globals.map { SettingKey.global($0.name) }
        let fields = table.families.flatMap { family in
            instances(of: family.prefix)
                .flatMap { instance in
                    family.rows.map { SettingKey(prefix: family.prefix, instance: instance, field: $0.name) }
                }
        }
        return globals.map(effective) + fields.map(effective).filter { !$0.shown.isEmpty }
    }

    private func effective(_ key: SettingKey) -> EffectiveSetting {
        let row = row(key)
        let given = given[key]
        let text = given?.text ?? derived[key]?.text ?? row.fallback
        return EffectiveSetting(name: key.name, shown: row.shown(text), place: given?.place ?? "default")
    }
}
