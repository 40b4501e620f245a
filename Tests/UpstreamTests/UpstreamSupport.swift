import Engine
import Shared

@testable import Upstream

/// A vendor's response as a test cut it: the pieces, then the end or a failure.
///
/// `@unchecked`: used by one task.
final class ScriptedStream: UpstreamStream, @unchecked Sendable {
    let head: UpstreamHead
    let budget: MemoryBudget?
    private var pieces: [[UInt8]]
    private let failure: TransportError?
    private(set) var stopped: Bool?
    /// The number of calls of `stop`.
    private(set) var stops = 0

    init(
        _ pieces: [[UInt8]],
        isEventStream: Bool = true,
        failure: TransportError? = nil,
        status: Int = 200,
        retryAfterSeconds: Int? = nil,
        budget: MemoryBudget? = nil
    ) {
        self.pieces = pieces.reversed()
        self.budget = budget
        self.failure = failure
        head = UpstreamHead(status: status, isEventStream: isEventStream, retryAfterSeconds: retryAfterSeconds)
    }

    func more(patienceNanoseconds: UInt64) async throws(TransportError) -> Arrival {
        if !pieces.isEmpty { return .bytes }
        if let failure { throw failure }
        return .end
    }

    func receive(into buffer: inout ByteBuffer) {
        guard let piece = pieces.popLast() else { return }
        piece.withUnsafeBytes { buffer.append($0) }
    }

    var piecesLeft: Int { pieces.count }

    func stop(isComplete: Bool) {
        stopped = isComplete
        stops += 1
    }
}

extension String {
    /// Returns the text cut into pieces of up to `most` characters each, so that no character is cut.
    func cut(most: Int, _ next: (Int) -> Int) -> [String] {
        var pieces: [String] = []
        var rest = self[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + next(most))
            pieces.append(String(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}

func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let buffer = ByteBuffer(text)
    return body(buffer.bytes)
}
