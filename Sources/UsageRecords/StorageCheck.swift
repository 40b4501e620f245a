import Engine
import Glibc
package import Shared

/// Checks whether the relay can write to the files and folders in the settings. It changes nothing.
package enum StorageCheck {
    /// Returns the reasons why the relay could not write to `DATA_DIR` or `USAGE_LOG_FILE`; empty if it can.
    package static func problems(of settings: [EffectiveSetting]) -> [SettingsProblem] {
        let folder = settings.first { $0.name == "DATA_DIR" && !$0.shown.isEmpty }
        let file = settings.first { $0.name == "USAGE_LOG_FILE" && !$0.shown.isEmpty && $0.shown != "-" }
        return [
            folder.flatMap { setting in problem(ofFolder: setting.shown).map { setting.problem($0) } },
            file.flatMap { setting in problem(ofFile: setting.shown, besides: folder?.shown).map { setting.problem($0) }
            },
        ].compactMap(\.self)
    }

    /// Returns why the database at this URL cannot be reached; nil if it can. Blocks for a few seconds.
    package static func problem(ofDatabase url: String) -> String? { PostgresReading.problem(url: url) }

    private static func problem(ofFolder path: String) -> String? {
        guard let mode = mode(path) else {
            guard let why = obstacle(toMakingIn: parent(of: path)) else { return nil }
            return "\(path) cannot be made: \(why); \(volumeAdvice ?? "make it, or name another folder")"
        }
        guard mode & S_IFMT == S_IFDIR else { return "\(path) is not a folder; name another folder" }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            let advice = volumeAdvice ?? "run `chown \(geteuid())` on it, or name another folder"
            return "\(path) is not writable (\(systemError)); \(advice)"
        }
        return nil
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
            return obstacle(toMakingIn: location).map { "\(path) cannot be made: \($0)" }
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
