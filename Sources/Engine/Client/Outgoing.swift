import Glibc

/// A streamed request's body between who writes it and libcurl.
///
/// Only its loop's thread touches it.
final class Outgoing {
    /// nil: not known, sent in chunks.
    let totalBytes: Int?
    private var waiting = ByteBuffer()
    private(set) var writtenBytes = 0
    private(set) var hasBeenTaken = false
    /// All is written.
    private(set) var isEnded = false
    /// libcurl waits until more is written.
    var isPaused = false
    var pausedAt = LoopTime.distantPast

    /// Waiting for libcurl, which has a buffer of its own; more suspends the writer.
    static let limitBytes = 16_384
    /// libcurl's own.
    static let curlBytes = 16_384

    init(totalBytes: Int?) { self.totalBytes = totalBytes }

    var isFull: Bool { waiting.count > Self.limitBytes }

    /// Some of the body has not gone to libcurl.
    var isOpen: Bool { !isEnded || !waiting.isEmpty }

    /// False: it would be longer than was said.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let totalBytes, bytes.count > totalBytes - writtenBytes { return false }
        waiting.append(bytes)
        writtenBytes += bytes.count
        return true
    }

    /// False: it is shorter than was said.
    func end() -> Bool {
        guard writtenBytes == totalBytes ?? writtenBytes else { return false }
        isEnded = true
        return true
    }

    /// Returns the count put into `room`.
    func take(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, waiting.count)
        guard count > 0, let from = waiting.bytes.baseAddress, let to = room.baseAddress else { return 0 }
        memcpy(to, from, count)
        waiting.removeFirst(count)
        hasBeenTaken = true
        return count
    }

    /// Nobody wants the rest.
    func drop() { waiting.release() }
}
