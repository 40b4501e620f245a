import Engine
import Glibc
package import Shared

/// A store that writes usage records as lines of JSON, to a file or standard output.
///
/// `@unchecked`: used by the thread of its queue only.
package final class UsageFile: UsageStore, @unchecked Sendable {
    private let settings: UsageFileSettings
    private var file: (descriptor: Int32, bytes: Int)?
    private var timestamp = Timestamp()
    private var lines = ByteBuffer()
    private static let writtenBytes = 64 << 10

    package init(_ settings: UsageFileSettings) { self.settings = settings }

    deinit { close() }

    package func reopen() {
        close()
        _ = try? opened()
    }

    private func close() {
        if let file, file.descriptor != STDOUT_FILENO { Glibc.close(file.descriptor) }
        file = nil
    }

    /// Opens the file. Throws a failure that names the setting if the file cannot be written.
    package func check() throws(UsageFailure) {
        do throws(UsageFailure) { _ = try opened() } catch { throw UsageFailure("USAGE_LOG_FILE: \(error.cause)") }
    }

    package func write(_ requests: ArraySlice<FinishedRequest>) throws(UsageFailure) -> Int {
        var (descriptor, bytes) = try opened()
        lines.removeAll()
        var count = 0
        for request in requests {
            let before = lines.count
            append(request)
            if bytes + lines.count > settings.maxBytes, bytes + before > 0 {
                guard before == 0 else {
                    // The remaining requests go into the next file.
                    lines.removeLast(lines.count - before)
                    break
                }
                try rotate()
                (descriptor, bytes) = try opened()
            }
            count += 1
            if lines.count >= Self.writtenBytes { break }
        }
        try write(lines.bytes, to: descriptor, after: bytes)
        file = (descriptor, bytes + lines.count)
        return count
    }

    private func opened() throws(UsageFailure) -> (descriptor: Int32, bytes: Int) {
        if let file { return file }
        guard let path = settings.path else {
            file = (STDOUT_FILENO, .min)
            return (STDOUT_FILENO, .min)
        }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else { throw .system("\(path)") }
        var about = stat()
        let isFile = fstat(descriptor, &about) == 0 && about.st_mode & S_IFMT == S_IFREG
        let opened = (descriptor, isFile ? Int(min(about.st_size, 1 << 60)) : .min)
        file = opened
        return opened
    }

    /// Renames `app.log` to `app.log.1`, `app.log.1` to `app.log.2`, and so on. The oldest file is deleted.
    private func rotate() throws(UsageFailure) {
        guard let path = settings.path else { return }
        close()
        var name = settings.files > 1 ? path + ".\(settings.files - 1)" : path
        unlink(name)
        for number in stride(from: settings.files - 2, through: 0, by: -1) {
            let younger = number == 0 ? path : path + ".\(number)"
            guard rename(younger, name) == 0 || errno == ENOENT else { throw .system(younger) }
            name = younger
        }
    }

    /// Appends a line of JSON for the request, and one for each upstream call.
    private func append(_ request: FinishedRequest) {
        for record in request.records {
            lines.append("{\"time\":\"")
            timestamp.append(milliseconds: record.timeMilliseconds, to: &lines)
            lines.append("\"")
            for column in UsageColumn.written { column.append(record, to: &lines) }
            lines.append("}\n")
        }
    }

    /// Writes all bytes to the file. After a failure, cuts the file to its previous size and throws.
    private func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, after size: Int) throws(UsageFailure) {
        if writeAll(bytes, to: descriptor) { return }
        let failure = UsageFailure.system(settings.path ?? "standard output")
        if size >= 0 { ftruncate(descriptor, size) }
        close()
        throw failure
    }
}

extension UsageFailure {
    /// Creates a failure of the last system call, with the path and the reason.
    static func system(_ path: String) -> UsageFailure { UsageFailure("\(path): \(systemError)") }
}
