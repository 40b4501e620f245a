import Engine
import Shared

/// An event loop for the network calls of a command. The command's thread waits for their results.
struct CommandLoop {
    let client: CurlClient
    private let loop: EventLoop

    init() { (client, loop) = CurlClient.ofCommand() }

    /// Does the work of each number below `count`, at most `mostOpen` at once, and then ends the loop. Blocks.
    /// - Returns: the results in the order of their numbers; nil for each that was not there in time.
    func results<Value: Sendable>(
        of count: Int,
        mostOpen: Int = .max,
        withinSeconds seconds: Int,
        _ work: @escaping @Sendable (Int) async -> Value
    ) -> [Value?] {
        let results = LoopResults<Value>(count)
        let thread = LoopThread(loop)
        for _ in 0..<min(mostOpen, count) {
            Task(executorPreference: loop) {
                while let index = results.removeNext() { results.record(await work(index), of: index) }
            }
        }
        defer {
            loop.stop()
            thread.join()
        }
        return results.wait(until: LoopTime.current().adding(seconds: seconds))
    }
}

/// The results of calls or loops. Event loops store them while another thread waits.
final class LoopResults<Value: Sendable>: Sendable {
    private struct State {
        var next = 0
        var left: Int
        var all: [Value?]
    }

    private let state: Lock<State>
    private let signal = Signal()

    init(_ count: Int) { state = Lock(State(left: count, all: Array(repeating: nil, count: count))) }

    /// Returns the index of the next call; nil if all calls were started.
    func removeNext() -> Int? {
        state.withLock { state in
            guard state.next < state.all.count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    func record(_ value: Value, of index: Int) {
        let isLast = state.withLock { state in
            state.all[index] = value
            state.left -= 1
            return state.left == 0
        }
        if isLast { signal.wake() }
    }

    /// Waits until all results are there or the time has come. Blocks.
    func wait(until end: LoopTime) -> [Value?] {
        while state.withLock({ $0.left }) > 0, LoopTime.current() < end { signal.wait(until: end) }
        return state.withLock { $0.all }
    }
}
