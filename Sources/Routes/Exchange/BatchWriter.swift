import Calls
import Engine

/// Gathers what it writes, and sends it in batches. The chunks of chats do the same on their own: each event of most
/// streams goes through them.
protocol BatchWriter: AnswerWriter {
    var exchange: Exchange { get }
    var out: ByteBuffer { get set }
}

/// A batch that is sent before more is translated: one wake-up may bring many events, and each swells threefold.
let batchBytes = 8_192

extension BatchWriter {
    var hasBatch: Bool { out.count >= batchBytes }

    var isFull: Bool { hasBatch }

    func flush() async throws(UpstreamError) { await flushBatch() }

    func flushBatch() async {
        flushNow()
        if exchange.writer.isFull { await exchange.writer.drained() }
    }

    func flushNow() { exchange.send(batch: &out) }

    /// For a whole batch, so that it does not grow by and by.
    func makeRoom() { if out.isEmpty { _ = out.reserve(batchBytes + 1_024) } }
}
