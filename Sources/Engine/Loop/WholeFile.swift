import Glibc

/// Functions that read or write a whole small file at once. They block the thread.
package enum WholeFile {
    /// Returns the content of a file; nil if the file is unreadable or larger than `limitBytes`, or is no regular file.
    package static func read(_ path: String, limitBytes: Int) -> [UInt8]? {
        // A pipe would otherwise wait for its other end.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= limitBytes
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress.map { $0 + offset }, $0.count - offset)
            }
            guard count > 0 else { return nil }
            offset += count
        }
        return bytes
    }

    /// Writes a file atomically. Only the user of the relay's process may read the file. Returns false if writing
    /// failed; see `systemError`.
    /// - Parameters:
    ///   - new: the path of a temporary file, which is renamed to `path` when it is complete.
    ///   - isSynced: whether the content is flushed to the disk before the rename.
    package static func write(_ bytes: [UInt8], to path: String, by new: String, isSynced: Bool = false) -> Bool {
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard file >= 0 else { return false }
        var isWritten = fchmod(file, 0o600) == 0 && bytes.withUnsafeBytes { writeAll($0, to: file) }
        if isWritten, isSynced { isWritten = fsync(file) == 0 }
        guard close(file) == 0, isWritten, rename(new, path) == 0 else {
            unlink(new)
            return false
        }
        return true
    }
}
