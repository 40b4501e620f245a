import Engine
import Glibc

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
