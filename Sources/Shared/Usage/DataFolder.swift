import Engine
import Glibc

/// `DATA_DIR`, where the relay keeps what lasts.
package enum DataFolder {
    /// Makes the folder where only the one above it exists.
    ///
    /// - Throws: one line with the fix.
    package static func prepare(_ path: String) throws(UsageFailure) {
        var about = stat()
        if mkdir(path, 0o750) != 0, errno != EEXIST {
            throw UsageFailure("DATA_DIR: \(path) cannot be made: \(systemError); make it, or name another folder")
        }
        guard stat(path, &about) == 0, about.st_mode & S_IFMT == S_IFDIR else {
            throw UsageFailure("DATA_DIR: \(path) is no folder; name another")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw UsageFailure(
                "DATA_DIR: \(path) is not writable (\(systemError)); chown \(geteuid()) it, or name another"
            )
        }
    }
}
