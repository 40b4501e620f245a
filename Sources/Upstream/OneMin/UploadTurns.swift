import Engine

/// Uploads that run at once with one key, those of all loops together: the vendor bears few.
package final class UploadTurns: Sendable {
    private struct Queue {
        var running = 0
        var waiting: [Turn] = []
    }

    private let queues = Lock<[String: Queue]>([:])

    package static let atOnce = 5

    package init() {}

    /// Waits until there is room; false: the task was cancelled. After true, `give` is owed.
    func take(_ key: String, on loop: EventLoop) async -> Bool {
        let turn = Turn(loop)
        let isFree = queues.withLock { queues in
            guard queues[key, default: Queue()].running >= Self.atOnce else {
                queues[key, default: Queue()].running += 1
                return true
            }
            queues[key]?.waiting.append(turn)
            return false
        }
        if isFree { return true }
        while !turn.hasCome, !Task.isCancelled { await turn.waiter.wait() }
        if turn.hasCome { return true }
        let isWaiting = queues.withLock { queues in
            guard let place = queues[key]?.waiting.firstIndex(where: { $0 === turn }) else { return false }
            queues[key]?.waiting.remove(at: place)
            return true
        }
        // It has come, but word of it is still on its way to this loop.
        if !isWaiting { give(key) }
        return false
    }

    /// The next one's turn.
    func give(_ key: String) {
        let next: Turn? = queues.withLock { queues in
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
        guard let next else { return }
        next.loop.call { next.come() }
    }
}

/// `@unchecked`: but for `loop`, used on its loop only.
private final class Turn: @unchecked Sendable {
    let loop: EventLoop
    let waiter = Waiter()
    private(set) var hasCome = false

    init(_ loop: EventLoop) { self.loop = loop }

    func come() {
        hasCome = true
        waiter.wake()
    }
}
