import Engine
import Shared

struct RunningRequest: Sendable {
    enum Wait: String, Sendable {
        /// The request waits for a decision of the limits, which may need the shared counter store.
        case limits
        case capacity
        case provider
    }

    let id: String
    let caller: String?
    /// The model that the request asked for; nil if it is not known.
    let model: String?
    let endpoint: String?
    /// The provider that was called last; nil if no provider was called.
    let provider: String?
    /// The start of the request, in milliseconds since 1970.
    let startMilliseconds: Int
    let ageMilliseconds: Int
    /// The reason why the request waits now; nil if it does not wait.
    let wait: Wait?
    /// The number of response bytes that the relay has passed to the connection.
    let bytes: Int
    let isStreamed: Bool
}

protocol RunningEntry: AnyObject {
    /// The index of this entry in its event loop's list. Only the list sets the index.
    var runningIndex: Int { get set }
    /// Whether the request belongs to one of the relay's own pages. Lists leave such a request out.
    var isOfPage: Bool { get }
    var running: RunningRequest { get }
}

final class RunningRequests: OnLoop, @unchecked Sendable {
    private struct Entry {
        /// The running request. The reference is unowned, because the request lives until it is removed from the list.
        unowned(unsafe) let request: any RunningEntry
    }

    private var entries: [Entry] = []
    private let oneLoop = OneLoop()

    /// The largest number of requests of one event loop that `list` returns.
    static let maxListed = 2_000

    func insert(_ request: any RunningEntry) {
        oneLoop.check()
        request.runningIndex = entries.count
        entries.append(Entry(request: request))
    }

    func remove(_ request: any RunningEntry) {
        oneLoop.check()
        let index = request.runningIndex
        let last = entries.removeLast()
        guard index < entries.count else { return }
        last.request.runningIndex = index
        entries[index] = last
    }

    /// Returns the running requests without those of the relay's own pages, in no particular order.
    func list() -> [RunningRequest] {
        oneLoop.check()
        return entries.lazy.filter { !$0.request.isOfPage }.prefix(Self.maxListed).map(\.request.running)
    }
}

/// The running requests of all event loops in this process.
package final class RunningRegister: Sendable {
    private let loops = Lock<[(loop: EventLoop, requests: RunningRequests)]>([])
    /// The longest time to wait for the event loops' lists of running requests. Lists that come later are left out.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000

    package init() {}

    func add(_ loop: EventLoop, _ requests: RunningRequests) { loops.withLock { $0.append((loop, requests)) } }

    /// Returns the running requests of all event loops, the oldest first.
    func all(on loop: EventLoop) async -> [RunningRequest] {
        let loops = loops.withLock { $0 }
        let gathering = RunningGathering(loops.count, on: loop)
        for other in loops {
            other.loop.call {
                let requests = other.requests.list()
                loop.call { gathering.add(requests) }
            }
        }
        return await gathering.result(withinNanoseconds: Self.patienceNanoseconds)
            .sorted { $0.ageMilliseconds > $1.ageMilliseconds }
    }
}

/// A collector of the running requests of all event loops.
///
/// `@unchecked`: only the thread of its event loop uses the mutable state.
private final class RunningGathering: @unchecked Sendable {
    private let loop: EventLoop
    private let waiter = Waiter()
    private var requests: [RunningRequest] = []
    private var missing: Int

    init(_ loops: Int, on loop: EventLoop) {
        missing = loops
        self.loop = loop
    }

    func add(_ more: [RunningRequest]) {
        requests += more
        missing -= 1
        if missing == 0 { waiter.wake() }
    }

    func result(withinNanoseconds time: UInt64) async -> [RunningRequest] {
        if missing > 0 { await loop.wait(for: waiter, until: loop.now + time) }
        return requests
    }
}
