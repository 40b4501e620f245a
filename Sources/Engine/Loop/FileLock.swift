import Glibc

/// A lock on a file, which only one process of the machine can hold at a time. A process that ends releases its lock.
package final class FileLock: Sendable {
    /// The result of an attempt to acquire a lock.
    package enum Outcome {
        case acquired(FileLock)
        case heldByAnother
        /// The file could not be created or locked, for the given reason (one line).
        case failed(reason: String)
    }

    private let file: Int32

    private init(_ file: Int32) { self.file = file }

    deinit {
        // Closing is not enough: until its exec, a child that is being started has the file open, too.
        flock(file, LOCK_UN)
        close(file)
    }

    /// Tries to acquire the lock without waiting. Creates the file if it does not exist.
    package static func acquire(_ path: String) -> Outcome {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return .failed(reason: "\(path): \(systemError)") }
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return .acquired(FileLock(file)) }
        let outcome: Outcome = errno == EWOULDBLOCK ? .heldByAnother : .failed(reason: "\(path): \(systemError)")
        close(file)
        return outcome
    }
}
