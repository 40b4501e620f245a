import Engine
import Glibc
package import Shared

/// Checks whether the relay can write to the files and folders in the settings. It leaves no change.
package enum StorageCheck {
    /// Returns the reasons why the relay could not write to `DATA_DIR` or `USAGE_LOG_FILE`, or use the URL of the database;
    /// empty if it can.
    package static func problems(
        of settings: [EffectiveSetting],
        _ database: UsageDatabaseSettings?
    ) -> [SettingsProblem] {
        let server = settings.first { $0.name == "USAGE_DATABASE_URL" }
        let folder = settings.first { $0.name == "DATA_DIR" && !$0.shown.isEmpty }
        let file = settings.first { $0.name == "USAGE_LOG_FILE" && !$0.shown.isEmpty && $0.shown != "-" }
        return [
            folder.flatMap { setting in problem(ofFolder: setting.shown).map { setting.problem($0) } },
            file.flatMap { setting in problem(ofFile: setting.shown, besides: folder?.shown).map { setting.problem($0) }
            },
            server.flatMap { setting in database?.urlProblem.map { setting.problem($0) } },
        ].compactMap(\.self)
    }

    /// Returns why the database at this URL cannot be reached; nil if it can. Blocks for a few seconds.
    package static func problem(ofDatabase url: String) -> String? { PostgresReading.problem(url: url) }

    private static func problem(ofFolder path: String) -> String? {
        guard let mode = mode(path) else {
            let why = obstacle(toMakingIn: parent(of: path)) ?? refusal(mkdir(path, 0o700)) { _ in rmdir(path) }
            guard let why else { return nil }
            return "\(path) cannot be made: \(why); \(volumeAdvice ?? "make it, or name another folder")"
        }
        guard mode & S_IFMT == S_IFDIR else { return "\(path) is not a folder; name another folder" }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            let advice = volumeAdvice ?? "run `chown \(geteuid())` on it, or name another folder"
            return "\(path) is not writable (\(systemError)); \(advice)"
        }
        // Those of a relay that once ran as another user.
        let files = [SQLiteStore.fileName, "counters", "lock"].map { "\(path)/\($0)" }
        return files.first { access($0, R_OK | W_OK) != 0 && errno == EACCES }
            .map { "\($0) is not writable (\(systemError)); run `chown -R \(geteuid())` on its folder" }
    }

    /// Advice if the last system call failed because the file system is read-only, as that of a container; else nil.
    private static var volumeAdvice: String? {
        errno == EROFS ? "mount a volume there, as deploy/data.yml does for Compose" : nil
    }

    /// Returns why the relay could not write to a file; nil if it can.
    /// - Parameter folder: the folder `DATA_DIR`, which the relay creates if it is missing; nil if it is not set.
    private static func problem(ofFile path: String, besides folder: String?) -> String? {
        guard let mode = mode(path) else {
            let location = parent(of: path)
            if location == folder { return nil }
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
            let why = obstacle(toMakingIn: location) ?? refusal(open(path, flags, 0o600)) { close($0) + unlink(path) }
            return why.map { "\(path) cannot be made: \($0)" }
        }
        guard mode & S_IFMT != S_IFDIR else { return "\(path) is a folder; name a file" }
        return access(path, W_OK) == 0
            ? nil : "\(path) is not writable (\(systemError)); run `chown \(geteuid())` on it"
    }

    private static func obstacle(toMakingIn folder: String) -> String? {
        guard let mode = mode(folder) else { return "\(folder) is missing" }
        guard mode & S_IFMT == S_IFDIR else { return "\(folder) is not a folder" }
        return access(folder, W_OK | X_OK) == 0 ? nil : "\(folder) is not writable (\(systemError))"
    }

    /// Returns why the system did not make a folder or a file, and removes it if it did. Some file systems, such as
    /// `/proc`, refuse those who may write, too.
    private static func refusal(_ result: Int32, _ remove: (Int32) -> Int32) -> String? {
        if result < 0 { return errno == EEXIST ? nil : systemError }
        _ = remove(result)
        return nil
    }

    private static func mode(_ path: String) -> mode_t? {
        var about = stat()
        return stat(path, &about) == 0 ? about.st_mode : nil
    }

    private static func parent(of path: String) -> String {
        var path = Substring(path)
        while path.count > 1, path.last == "/" { path = path.dropLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

extension EffectiveSetting {
    fileprivate func problem(_ text: String) -> SettingsProblem {
        SettingsProblem(location: location, name: name, text: text)
    }
}

extension UsageDatabaseSettings {
    /// The reason why libpq cannot use the URL of the server; nil if it can, or if there is none.
    fileprivate var urlProblem: String? {
        guard case .server(let url) = location else { return nil }
        guard let address = PostgresAddress(url) else { return PostgresAddress.rejection }
        // Without a check of the server, libpq needs no file.
        let bad = address.certificateFiles.first { file in
            (try? readSettingsFile(file.path)).map { !Certificates.areReadable(inPEM: $0) }
                ?? url.contains("sslmode=verify")
        }
        return bad.map {
            "\($0.name) must name a PEM file, each of whose certificates can be read; \"\($0.path)\" is none"
        }
    }
}

/// The folder `DATA_DIR`, which contains data that must survive a restart.
package enum DataFolder {
    /// Creates the folder if it is missing. Its parent folder must exist.
    package static func prepare(_ path: String) throws(UsageFailure) {
        var about = stat()
        if mkdir(path, 0o750) != 0, errno != EEXIST {
            throw UsageFailure("DATA_DIR: \(path) cannot be made: \(systemError); make it, or name another folder")
        }
        guard stat(path, &about) == 0, about.st_mode & S_IFMT == S_IFDIR else {
            throw UsageFailure("DATA_DIR: \(path) is not a folder; name another folder")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw UsageFailure(
                "DATA_DIR: \(path) is not writable (\(systemError)); run `chown \(geteuid())` on it, or name another folder"
            )
        }
    }
}
