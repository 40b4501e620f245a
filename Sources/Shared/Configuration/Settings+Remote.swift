import Engine
import Glibc

/// The functions that read settings from the environment, the `.env` file and a remote document.
extension Settings {
    /// The remote settings document as it was last downloaded.
    package struct Remote: Sendable, Equatable {
        fileprivate let url: String
        fileprivate let tag: String
        fileprivate let bytes: [UInt8]
    }

    /// The URL of the remote settings document, and how the relay reads the document.
    package struct RemoteLocation: Sendable, Equatable {
        /// The URL of the remote settings document; nil if no such document is used.
        package let url: String?
        /// The secret key that decrypts the document; nil if the document is not encrypted.
        package let key: String?
        package let isRequired: Bool
        /// The time between regular downloads; zero if a download needs a reload request.
        package let refreshPause: Duration

        init(_ reader: SettingsReader) {
            url = reader.text("CONFIG_URL")
            key = reader.text("CONFIG_KEY")
            isRequired = reader.boolean("CONFIG_REQUIRED")
            refreshPause = reader.duration("CONFIG_REFRESH_SECONDS")
        }
    }

    /// Reads the settings of this process, including a remote document. Blocks the thread.
    ///
    /// A failed download is a problem. At startup with `CONFIG_REQUIRED=false` it is only a warning.
    /// - Parameters:
    ///   - remote: the remote document as it was last downloaded; this function updates it.
    ///   - location: the location of the remote document that was read at startup; nil during startup.
    ///   - file: the settings file that must still have settings; nil if there is none.
    ///   - isCancelled: whether a download must end, asked about once a second.
    package static func ofProcess(
        _ catalogues: Catalogues,
        _ remote: inout Remote?,
        in source: SettingsSource.File = .ofService,
        from location: RemoteLocation? = nil,
        keeping file: String? = nil,
        isCancelled: @escaping () -> Bool = { false }
    ) -> Outcome {
        var sources = SettingsSource.ofProcess(source)
        if let file, sources.allSatisfy({ $0.isEnvironment || $0.entries.isEmpty && $0.problems.isEmpty }) {
            let text =
                "the settings in use are from this file, which is missing or empty; put it back, or restart the relay"
            sources.append(.broken(SettingsProblem(location: file, name: nil, text: text)))
        }
        // Most relays have no remote document, so their settings are read only once.
        guard
            location?.url != nil || sources.contains(where: { $0.entries.contains { $0.name.hasPrefix("CONFIG_URL") } })
        else {
            return read(sources, catalogues, readFile: readSettingsFile).warned(of: sources)
        }
        let reader = SettingsReader(sources, table: .product, readFile: readSettingsFile)
        let isStart = location == nil
        let location = location ?? RemoteLocation(reader)
        var failure: SettingsProblem?
        if let url = location.url {
            do throws(FileProblem) {
                let document = try document(at: url, location.key, reader, remote: &remote, isCancelled: isCancelled)
                sources.insert(document, at: 1)
            } catch {
                let isFatal = error.isAbsence && isStart && location.isRequired
                let advice = isFatal ? "; correct it, or set CONFIG_REQUIRED=false to start without the document" : ""
                let text = error.text + advice
                let problem = SettingsProblem(location: reader.location("CONFIG_URL"), name: "CONFIG_URL", text: text)
                guard error.isAbsence, isStart, !location.isRequired else {
                    sources.insert(.broken(problem), at: 1)
                    var outcome = read(sources, catalogues, readFile: readSettingsFile)
                    outcome.isUnavailable = error.isAbsence
                    return outcome
                }
                failure = problem
            }
        }
        var outcome = read(sources, catalogues, readFile: readSettingsFile)
        if let failure { outcome.warnings.append(failure) }
        return outcome.warned(of: sources)
    }

    private static func document(
        at url: String,
        _ key: String?,
        _ reader: SettingsReader,
        remote: inout Remote?,
        isCancelled: @escaping () -> Bool
    ) throws(FileProblem) -> SettingsSource {
        let download = Download(
            url,
            agent: Product.name,
            proxy: reader.text("UPSTREAM_PROXY") ?? "",
            certificateFile: reader.text("SSL_CERT_FILE") ?? SystemCertificates.file(),
            isSealed: key != nil
        )
        let known = remote?.url == url ? remote : nil
        let bytes: [UInt8]
        var read = known
        switch download.get(unless: known?.tag, isCancelled: isCancelled) {
        case .failed(let cause):
            throw FileProblem(text: "the document cannot be read: \(cause)", isAbsence: true)
        case .unchanged: bytes = known?.bytes ?? []
        case .document(let found, let tag):
            bytes = found
            read = tag.map { Remote(url: url, tag: $0, bytes: found) }
        }
        let text = try RemoteDocument.opened(bytes, key: key)
        guard !RemoteDocument.looksLikeYAML(text) else {
            let text = "the document is YAML, but it must consist of lines NAME=value, as in .env.example"
            throw FileProblem(text: text, isAbsence: false)
        }
        let document = SettingsSource.document(named: "CONFIG_URL", text)
        guard !(document.entries.isEmpty && document.problems.isEmpty) else {
            throw FileProblem(text: "the document cannot be read: it has no setting", isAbsence: true)
        }
        remote = read
        return document
    }
}

extension SettingsSource {
    /// Returns a source that has no settings, only this problem.
    fileprivate static func broken(_ problem: SettingsProblem) -> SettingsSource {
        SettingsSource(name: "CONFIG_URL", isEnvironment: false, entries: [], problems: [problem])
    }
}

extension Settings.Outcome {
    private static let minDescriptors: rlim_t = 1_024
    /// The beginnings of settings that name callers or providers, or where these are.
    private static let choices = ["KEY_", "PROVIDER", "ONE_MIN_", "SUBSET_OF_", "CONFIG_URL"]

    /// Returns the outcome with warnings about the process: no file of settings was found, or few files may be opened.
    fileprivate func warned(of sources: [SettingsSource]) -> Self {
        var outcome = self
        func warn(_ location: String, _ text: String) {
            outcome.warnings.append(SettingsProblem(location: location, name: nil, text: text))
        }
        let isChosen = effective.contains { setting in
            setting.location != "default" && Self.choices.contains(where: setting.name.hasPrefix)
        }
        if sources.allSatisfy(\.isEnvironment), !isChosen {
            let text = """
                no caller and no provider is set, so everybody with a 1min.ai key may use this relay; write settings into \
                .env there, or set ENV_FILE to the path of their file
                """
            warn(sources.places, text)
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
        if limit.rlim_max < Self.minDescriptors {
            let text = """
                this process may open only \(limit.rlim_max) files and connections; raise `ulimit -n` (LimitNOFILE of \
                systemd, --ulimit of Docker) to \(Self.minDescriptors) or more
                """
            warn("environment", text)
        }
        return outcome
    }
}
