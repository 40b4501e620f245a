import Engine
import Upstream

protocol BatchWriter: ChatStreamWriter {
    var exchange: Exchange { get }
    var out: ByteBuffer { get set }
}

/// The size at which collected output is sent as a batch, in bytes.
let batchBytes = 16_384

extension BatchWriter {
    var hasBatch: Bool { out.count >= batchBytes }

    var isFull: Bool { hasBatch }

    func flush() { exchange.send(batch: &out) }

    func makeRoom() { out.makeBatchRoom() }
}

extension ByteBuffer {
    /// Reserves memory for a whole batch if this buffer is empty.
    mutating func makeBatchRoom() { if isEmpty { reserve(batchBytes + 1_024, front: batchFrontBytes) } }
}
