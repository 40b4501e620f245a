import Calls
import Engine

/// A stream writer that collects its output and sends it in batches. `ChatChunks` has this logic itself, for speed.
protocol BatchWriter: ChatStreamWriter {
    var exchange: Exchange { get }
    var out: ByteBuffer { get set }
}

/// The size at which a batch of output is sent, in bytes. Many vendor events may arrive at once, so a batch holds the
/// output for several events.
let batchBytes = 16_384

extension BatchWriter {
    var hasBatch: Bool { out.count >= batchBytes }

    var isFull: Bool { hasBatch }

    func flush() async throws(UpstreamError) { await flushBatch() }

    func flushBatch() async {
        flushNow()
        if exchange.writer.isFull { await exchange.writer.drained() }
    }

    func flushNow() { exchange.send(batch: &out) }

    func makeRoom() { out.makeBatchRoom() }
}

extension ByteBuffer {
    /// Reserves room for a whole batch if the buffer is empty. The buffer then need not grow, and it can be sent
    /// without a copy.
    mutating func makeBatchRoom() { if isEmpty { reserve(batchBytes + 1_024, front: batchFrontBytes) } }
}
