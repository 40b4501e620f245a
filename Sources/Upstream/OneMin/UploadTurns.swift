import Engine

/// Limits how many uploads run at once with one key, over all event loops.
package final class UploadTurns: Sendable {
    private struct Queue {
        var running = 0
        var waiting: [RemoteWaiter] = []
    }

    private let queues = Lock<[String: Queue]>([:])

    package static let atOnce = 5

    package init() {}

    /// Waits until an upload with this key may begin. Returns false if the task was cancelled.
    ///
    /// After true, `give(_:)` must be called when the upload ends.
    func acquire(_ key: String, on loop: EventLoop) async -> Bool {
        let turn = RemoteWaiter(loop)
        let isFree = queues.withLock { queues in
            guard queues[key, default: Queue()].running >= Self.atOnce else {
                queues[key, default: Queue()].running += 1
                return true
            }
            queues[key]?.waiting.append(turn)
            return false
        }
        if isFree { return true }
        while !turn.isWoken, !Task.isCancelled { await turn.wait(until: .distantFuture) }
        if turn.isWoken { return true }
        let isWaiting = queues.withLock { queues in
            guard let index = queues[key]?.waiting.firstIndex(where: { $0 === turn }) else { return false }
            queues[key]?.waiting.remove(at: index)
            return true
        }
        // The turn has come, but its message to this loop has not arrived.
        if !isWaiting { give(key) }
        return false
    }

    /// Records that an upload with this key has ended, and lets the next waiting upload begin.
    func give(_ key: String) {
        let next: RemoteWaiter? = queues.withLock { queues in
            guard var queue = queues[key] else { return nil }
            if !queue.waiting.isEmpty {
                let next = queue.waiting.removeFirst()
                queues[key] = queue
                return next
            }
            queue.running -= 1
            queues[key] = queue.running > 0 ? queue : nil
            return nil
        }
        next?.wake()
    }
}
