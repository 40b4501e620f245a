import Glibc

/// The body of an upload, between its writer and libcurl.
///
/// Use it only on its loop's thread.
final class UploadBody {
    /// The announced length; nil if it is not known, so that the body is sent in chunks.
    let totalBytes: Int?
    private var waiting = ByteBuffer()
    private(set) var writtenBytes = 0
    private(set) var hasBeenSelected = false
    /// Whether the whole body is written.
    private(set) var isEnded = false
    /// Whether libcurl waits until more is written.
    var isPaused = false
    var pausedAt = LoopTime.distantPast

    /// The most bytes that wait for libcurl before the writer is suspended. libcurl has a buffer of its own.
    static let limitBytes = 16_384
    /// The size of libcurl's own upload buffer.
    static let curlBytes = 16_384

    init(totalBytes: Int?) { self.totalBytes = totalBytes }

    var isFull: Bool { waiting.count > Self.limitBytes }

    /// Whether libcurl has not read the whole body yet.
    var isOpen: Bool { !isEnded || !waiting.isEmpty }

    /// Appends bytes. Returns false if the body would exceed the announced length.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let totalBytes, bytes.count > totalBytes - writtenBytes { return false }
        waiting.append(bytes)
        writtenBytes += bytes.count
        return true
    }

    /// Ends the body. Returns false if it is shorter than announced.
    func end() -> Bool {
        guard writtenBytes == totalBytes ?? writtenBytes else { return false }
        isEnded = true
        return true
    }

    /// Moves bytes into `room`. Returns their number.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, waiting.count)
        guard count > 0, let from = waiting.bytes.baseAddress, let to = room.baseAddress else { return 0 }
        memcpy(to, from, count)
        waiting.removeFirst(count)
        hasBeenSelected = true
        return count
    }

    /// Discards the bytes that still wait.
    func drop() { waiting.release() }
}
