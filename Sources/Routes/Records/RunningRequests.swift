import Engine
import Shared

/// A request that has not ended.
struct RunningRequest: Sendable {
    /// The reason why a request waits.
    enum Wait: String, Sendable {
        /// A limit, or the counter store.
        case limits
        /// A provider's capacity.
        case capacity
        /// A provider's response.
        case provider
    }

    let id: String
    let caller: String?
    /// The model that the request named.
    let model: String?
    let endpoint: String?
    /// The provider that was called last; nil if none was.
    let provider: String?
    /// The start of the request, in milliseconds since 1970.
    let startMilliseconds: Int
    let ageMilliseconds: Int
    /// The reason why nothing is sent now; nil if the request does not wait.
    let wait: Wait?
    /// The number of response bytes that were handed to the connection.
    let bytes: Int
    let isStreamed: Bool
}

/// A request in the list of running requests.
protocol RunningEntry: AnyObject {
    /// The index in the list of its loop, which sets the index.
    var runningIndex: Int { get set }
    var running: RunningRequest { get }
}

/// The requests of one loop that have not ended. Used on its loop.
///
/// `@unchecked`: only its loop's thread uses it.
final class RunningRequests: @unchecked Sendable {
    private struct Entry {
        /// Unowned, because the handler keeps the request alive from its insertion to `remove`.
        unowned(unsafe) let request: any RunningEntry
    }

    private var entries: [Entry] = []
    private let oneLoop = OneLoop()

    /// The most requests of one loop that are listed.
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

    /// Returns the requests in no particular order.
    func list() -> [RunningRequest] {
        oneLoop.check()
        return entries.prefix(Self.maxListed).map(\.request.running)
    }
}

/// The requests of all loops that have not ended.
package final class RunningRegister: Sendable {
    private let loops = Lock<[(loop: EventLoop, requests: RunningRequests)]>([])
    /// The time after which a loop that has not responded is left out.
    private static let patienceNanoseconds: UInt64 = 1_000_000_000

    package init() {}

    func add(_ loop: EventLoop, _ requests: RunningRequests) { loops.withLock { $0.append((loop, requests)) } }

    /// Returns the requests of all loops, the oldest first.
    ///
    /// - Parameter loop: the loop of the caller.
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

/// A task's wait for the lists of other loops.
///
/// `@unchecked`: only the loop's thread uses the mutable state.
private final class RunningGathering: TimerTarget, @unchecked Sendable {
    private let loop: EventLoop
    private let waiter = Waiter()
    private lazy var timer = Timer(self)
    private var requests: [RunningRequest] = []
    private var missing: Int

    init(_ loops: Int, on loop: EventLoop) {
        missing = loops
        self.loop = loop
    }

    func add(_ more: [RunningRequest]) {
        requests += more
        missing -= 1
        waiter.wake()
    }

    func result(withinNanoseconds time: UInt64) async -> [RunningRequest] {
        loop.arm(timer, at: loop.now + time)
        while missing > 0, !Task.isCancelled { await waiter.wait() }
        loop.remove(timer)
        return requests
    }

    func timerFired() {
        missing = 0
        waiter.wake()
    }
}
