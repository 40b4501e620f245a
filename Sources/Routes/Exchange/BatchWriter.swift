import Calls
import Engine

/// A writer that sends its output in batches. `ChatChunks` does this by itself, because most streams use it for every
/// event.
protocol BatchWriter: ChatStreamWriter {
    var exchange: Exchange { get }
    var out: ByteBuffer { get set }
}

/// The size at which a batch is sent, in bytes. One wake-up may bring many events, and each triples in size. A batch
/// fills the output, so that no other one is copied behind it.
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
    /// Reserves room for a whole batch, so that the buffer need not grow and can be sent without a copy.
    mutating func makeBatchRoom() { if isEmpty { reserve(batchBytes + 1_024, front: batchFrontBytes) } }
}
