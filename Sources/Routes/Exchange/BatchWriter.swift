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

    /// Sends the head of the event stream, unless it was sent.
    func beginHead() { if !exchange.hasBegun { exchange.beginEvents() } }

    /// Sends the last output, and ends the response.
    func sendEnd() {
        exchange.writer.write(out)
        exchange.writer.end()
    }
}

extension ByteBuffer {
    /// Reserves memory for a whole batch if this buffer is empty.
    mutating func makeBatchRoom() { if isEmpty { reserve(batchBytes + 1_024, front: batchFrontBytes) } }
}

extension UnsafeRawBufferPointer {
    /// The data of an event of a stream, which follows the line with the event's name if there is one.
    var dataOfEvent: UnsafeRawBufferPointer {
        var data = self
        if hasPrefix("event: "), let line = firstNewline() { data = self[part: (line + 1)..<count] }
        return data[part: Swift.min(6, data.count)..<data.count]
    }
}
