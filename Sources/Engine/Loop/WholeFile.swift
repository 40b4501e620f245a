import Glibc

/// Functions that read and write small files as a whole. All calls block.
package enum WholeFile {
    /// Returns the content; nil if the file cannot be read or is larger than `limitBytes`.
    package static func read(_ path: String, limitBytes: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size <= limitBytes else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var position = 0
        while position < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress.map { $0 + position }, $0.count - position)
            }
            guard count > 0 else { return nil }
            position += count
        }
        return bytes
    }

    /// Writes the file whole or not at all: readers see the old content until the new one is complete. Only the relay's
    /// user may read the file. Returns whether it was written; if not, `systemError` has the reason.
    ///
    /// - Parameters:
    ///   - new: the path of the incomplete file.
    ///   - isSynced: whether the content is on the disk before readers see it.
    package static func write(
        _ bytes: [UInt8],
        to path: String,
        by new: String,
        isSynced: Bool = false
    ) -> Bool {
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        var isWritten = bytes.withUnsafeBytes { writeAll($0, to: file) }
        if isWritten, isSynced { isWritten = fsync(file) == 0 }
        guard close(file) == 0, isWritten, rename(new, path) == 0 else {
            unlink(new)
            return false
        }
        return true
    }
}
