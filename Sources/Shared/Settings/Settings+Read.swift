extension Settings {
    /// What the sources amount to.
    package struct Outcome: Sendable {
        /// Nil where there are problems.
        package let settings: Settings?
        package let problems: [SettingsProblem]
        package let warnings: [SettingsProblem]
        package let effective: [EffectiveSetting]
    }

    /// Reads the settings of this process: its environment and its `.env` file.
    package static func ofProcess() -> Outcome { read(SettingsSource.ofProcess(), readFile: readSettingsFile) }

    /// Checks everything and reports all problems at once.
    /// - Parameters:
    ///   - sources: stronger first.
    ///   - readFile: gives the files that `X_FILE` settings name.
    package static func read(
        _ sources: [SettingsSource],
        table: SettingsTable = .product,
        readFile: @escaping (String) throws(FileProblem) -> [UInt8]
    ) -> Outcome {
        var reader = SettingsReader(sources, table: table, readFile: readFile)
        let settings = Settings(&reader)
        return Outcome(
            settings: reader.problems.isEmpty ? settings : nil,
            problems: reader.problems,
            warnings: reader.warnings,
            effective: reader.effective
        )
    }

    private init(_ reader: inout SettingsReader) {
        host = reader.text("HOST") ?? ""
        port = reader.number("PORT")
        threads = reader.number("THREADS")
        publicURL = reader.text("PUBLIC_URL")
        corsOrigins = reader.list("CORS_ORIGINS")
        maxBodyBytes = reader.number("MAX_BODY_MB")
        shutdownSeconds = Double(reader.duration("SHUTDOWN_SECONDS").nanoseconds) / 1e9
        metricsToken = reader.text("METRICS_TOKEN")
        upstreamProxy = reader.text("UPSTREAM_PROXY")
        certificateFile = reader.text("SSL_CERT_FILE")
        anonymousModels = reader.patterns("ANONYMOUS_MODELS")
        logLevel = reader.text("LOG_LEVEL").flatMap(LogLevel.init) ?? .info
        logFormat = reader.text("LOG_FORMAT").flatMap(LogFormat.init) ?? .text
        providers = ProviderSettings.all(&reader)
        reader.refuseUselessProviders(providers)
        if let given = reader.given["ENV_FILE"], given.place != "environment" {
            reader.note("ENV_FILE", "is read from the process environment only")
        }
    }
}

extension ProviderSettings {
    private static let prefix = "PROVIDER_"

    /// In the order of `PROVIDERS`, then by name; without any, 1min.ai with the callers' own keys.
    fileprivate static func all(_ reader: inout SettingsReader) -> [ProviderSettings] {
        let declared = reader.instances(of: prefix)
        guard reader.given.keys.contains(where: { $0.prefix == prefix }) else {
            if reader.given["PROVIDERS"] != nil { reader.note("PROVIDERS", "no provider is declared") }
            return [ProviderSettings("ONEMIN", kind: .onemin, &reader)]
        }
        var order: [String] = []
        for item in reader.list("PROVIDERS").map({ $0.uppercased() }) {
            if order.contains(item) { reader.note("PROVIDERS", "\"\(item.lowercased())\" is named twice") }
            if !declared.contains(item) { reader.note("PROVIDERS", "no provider \"\(item.lowercased())\" is declared") }
            order.append(item)
        }
        let names = order.filter(declared.contains) + declared.filter { !order.contains($0) }
        let providers = names.compactMap { name -> ProviderSettings? in
            guard reader.boolean(key(name, "ENABLED")) else { return nil }
            return reader.text(key(name, "KIND")).flatMap(Kind.init).map { ProviderSettings(name, kind: $0, &reader) }
        }
        if providers.isEmpty, let first = declared.first {
            reader.note(key(first, "ENABLED"), "no provider is enabled")
        }
        return providers
    }

    private init(_ instance: String, kind: Kind, _ reader: inout SettingsReader) {
        func key(_ field: String) -> SettingKey { ProviderSettings.key(instance, field) }
        name = String(instance.lowercased().map { $0 == "_" ? "-" : $0 })
        label = reader.text(key("LABEL")) ?? name
        self.kind = kind
        switch kind {
        case .onemin:
            baseURL = reader.text(key("BASE_URL")) ?? reader.text("ONE_MIN_BASE_URL") ?? ""
            assetURL = reader.text("ONE_MIN_ASSET_URL") ?? ""
            models = []
            reader.refuse(key("MODELS"), "kind onemin serves its whole catalogue; remove this line")
        case .echo:
            baseURL = ""
            assetURL = ""
            let named = reader.models(key("MODELS"))
            models = named.isEmpty ? [ModelName(alias: "echo", upstream: "echo")] : named
            reader.refuse(key("BASE_URL"), "kind echo uses no network; remove this line")
        }
        connectTimeout = reader.duration(key("CONNECT_TIMEOUT"))
        firstByteTimeout = reader.duration(key("TIMEOUT"))
        idleTimeout = reader.duration(key("IDLE_TIMEOUT"))
        totalTimeout = reader.duration(key("TOTAL_TIMEOUT"))
        http2 = reader.boolean(key("HTTP2"))
    }

    fileprivate static func key(_ instance: String, _ field: String) -> SettingKey {
        SettingKey(prefix: prefix, instance: instance, field: field)
    }
}

extension SettingsReader {
    /// A setting that means nothing here would be ignored in silence.
    fileprivate mutating func refuse(_ key: SettingKey, _ text: String) {
        if given[key] != nil { note(key, text) }
    }

    /// A provider with credentials of its own needs somebody who may use it: the relay neither becomes an open proxy by
    /// omission nor starts for nobody.
    fileprivate mutating func refuseUselessProviders(_ providers: [ProviderSettings]) {
        guard given["ANONYMOUS_MODELS"] == nil, !problems.contains(where: { $0.name == "ANONYMOUS_MODELS" }) else {
            return
        }
        for provider in providers where !provider.isPassthrough {
            let instance = String(provider.name.uppercased().map { $0 == "-" ? "_" : $0 })
            note(ProviderSettings.key(instance, "KIND"), "nobody may use this provider; set ANONYMOUS_MODELS")
        }
    }

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
        let text = given?.text ?? row.fallback
        return EffectiveSetting(name: key.name, shown: row.shown(text), place: given?.place ?? "default")
    }
}
