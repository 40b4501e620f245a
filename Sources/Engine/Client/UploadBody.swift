import Glibc

/// A buffer between the writer of an upload's body and libcurl. Use it only on its loop's thread.
final class UploadBody {
    /// The announced length of the body; nil for chunked transfer encoding.
    let totalBytes: Int?
    private var waiting = ByteBuffer()
    private(set) var writtenBytes = 0
    private(set) var hasBeenRead = false
    /// Whether the writer has written the whole body.
    private(set) var isEnded = false
    /// Whether libcurl waits until the writer has written more.
    var isPaused = false
    var pausedAt = LoopTime.distantPast

    /// The number of buffered bytes above which the writer must wait.
    static let limitBytes = 16_384
    /// The size of libcurl's own upload buffer.
    static let curlBytes = 16_384

    init(totalBytes: Int?) { self.totalBytes = totalBytes }

    var isFull: Bool { waiting.count > Self.limitBytes }

    /// Whether libcurl has not read the whole body yet.
    var isOpen: Bool { !isEnded || !waiting.isEmpty }

    /// Appends bytes to the body. Returns false if the body would become longer than announced.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let totalBytes, bytes.count > totalBytes - writtenBytes { return false }
        waiting.append(bytes)
        writtenBytes += bytes.count
        return true
    }

    /// Ends the body. Returns false if the body is shorter than announced.
    func end() -> Bool {
        guard writtenBytes == totalBytes ?? writtenBytes else { return false }
        isEnded = true
        return true
    }

    /// Moves bytes of the body into `room`, and returns their number; 0 if no bytes are waiting.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, waiting.count)
        guard count > 0, let from = waiting.bytes.baseAddress, let to = room.baseAddress else { return 0 }
        memcpy(to, from, count)
        waiting.removeFirst(count)
        hasBeenRead = true
        return count
    }

    /// Discards the bytes that libcurl has not read yet.
    func drop() { waiting.release() }
}
