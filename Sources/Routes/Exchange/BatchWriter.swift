import Calls
import Engine

/// Gathers what it writes, and sends it in batches. The chunks of chats do the same on their own: each event of most
/// streams goes through them.
protocol BatchWriter: AnswerWriter {
    var exchange: Exchange { get }
    var out: ByteBuffer { get set }
}

/// A batch that is sent before more is translated: one wake-up may bring many events, and each swells threefold. It fills
/// the output by itself, so that no other one is copied behind it.
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
    /// For a whole batch, so that it does not grow by and by, and need not be copied to be sent.
    mutating func makeBatchRoom() { if isEmpty { reserve(batchBytes + 1_024, front: batchFrontBytes) } }
}
