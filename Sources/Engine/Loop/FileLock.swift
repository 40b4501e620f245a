import Glibc

/// A lock that one process of the machine holds at a time, by a file. The system frees it when the process ends, in
/// whatever way.
package final class FileLock: Sendable {
    /// The outcome of an attempt to take a lock.
    package enum Outcome {
        case acquired(FileLock)
        case heldByAnother
        /// The file cannot be made or locked; one line says why.
        case failed(reason: String)
    }

    private let file: Int32

    private init(_ file: Int32) { self.file = file }

    deinit { close(file) }

    /// Tries to take the lock at once. Makes the file if there is none.
    package static func acquire(_ path: String) -> Outcome {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return .failed(reason: "\(path): \(systemError)") }
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return .acquired(FileLock(file)) }
        let outcome: Outcome = errno == EWOULDBLOCK ? .heldByAnother : .failed(reason: "\(path): \(systemError)")
        close(file)
        return outcome
    }
}
