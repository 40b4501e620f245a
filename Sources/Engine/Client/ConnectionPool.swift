/// A pool of the connections to vendors on one loop, both in use and idle.
///
/// Use it only on its loop's thread.
final class ConnectionPool: TimerTarget {
    unowned let client: CurlClient
    /// The number of connections, in use and idle, above which idle connections are closed.
    private let maxOpen: Int
    private let budget: MemoryBudget?
    private let wholeMultis: CurlMultis
    private let streamMultis: CurlMultis
    /// The origins (scheme, host and port) that have open connections, each with its connections.
    private var origins: [Key: OriginConnections] = [:]
    private var lastFound: OriginConnections?
    private var openCount = 0
    private var idleBytes = 0
    /// The memory that the pool has reserved from the budget for idle connections, in bytes.
    private var heldBytes = 0
    private lazy var timer = Timer(self)
    private var isArmed = false
    private let rush: PeakMemoryTrimmer

    /// The key under which the pool stores the connections to one origin.
    struct Key: Hashable {
        let origin: String
        let isStreamed: Bool
    }

    /// The largest number of connections in one libcurl multi handle.
    static let connectionsPerMulti = 16  // libcurl searches all at each read or write.
    /// The file descriptors that libcurl opens for each multi handle, besides those of its connections.
    static let descriptorsPerMulti = 2
    /// The time after which an idle connection is closed, in nanoseconds.
    private static let idleNanoseconds: UInt64 = 60_000_000_000
    /// The smallest number of bytes that the pool reserves from the memory budget at a time.
    private static let stepBytes = 65_536
    /// The largest number of idle connections that the timer closes in one turn of the loop.
    private static let endedPerTurn = 64

    init(_ client: CurlClient, maxOpen: Int) {
        self.client = client
        self.maxOpen = maxOpen
        budget = client.budget
        rush = PeakMemoryTrimmer(client.loop)
        wholeMultis = CurlMultis(client, most: Self.connectionsPerMulti)
        streamMultis = CurlMultis(client, most: Self.connectionsPerMulti)
    }

    /// Returns the connections to the template's origin: either those for streams, or those for whole responses.
    func connections(for form: borrowing DirectRequestTemplate, isStreamed: Bool) -> OriginConnections {
        if let lastFound, lastFound.key.isStreamed == isStreamed, lastFound.key.origin == form.origin {
            return lastFound
        }
        let key = Key(origin: form.origin, isStreamed: isStreamed)
        let found =
            origins[key]
            ?? OriginConnections(key, hasTLS: form.hasTLS, multis: isStreamed ? streamMultis : wholeMultis, self)
        lastFound = found
        return found
    }

    // MARK: Calls from an origin's connections

    /// Counts a connection that is about to open. Closes the oldest idle connection if the pool is full.
    func willOpen(_ origin: OriginConnections) {
        if openCount >= maxOpen { endOldest() }
        openCount += 1
        origins[origin.key] = origin
        rush.connectionsRose(to: openCount)
    }

    func hasClosed(_ origin: OriginConnections) {
        openCount -= 1
        rush.connectionsFell(to: openCount)
        guard origin.openCount == 0 else { return }
        origins[origin.key] = nil
        if lastFound === origin { lastFound = nil }
    }

    /// Reserves the memory for a connection that becomes idle. Closes older idle connections if necessary.
    /// - Returns: false if the connection must be closed.
    func mayKeep(bytes: Int) -> Bool {
        while openCount > maxOpen || !hasMemory(for: bytes) {
            guard endOldest() else { return false }
        }
        idleBytes += bytes
        if !isArmed {
            isArmed = true
            client.loop.arm(timer, at: client.loop.now + Self.idleNanoseconds)
        }
        return true
    }

    /// Stops counting the memory of an idle connection that is taken into use or closed.
    func isUsed(bytes: Int) { idleBytes -= bytes }

    // MARK: Bounds

    private func hasMemory(for bytes: Int) -> Bool {
        let wanted = idleBytes + bytes
        guard let budget, wanted > heldBytes else { return true }
        let step = max(Self.stepBytes, wanted - heldBytes)
        guard heldBytes + step <= budget.idleConnectionBytes, budget.reserve(step, isLarge: false) else { return false }
        heldBytes += step
        return true
    }

    private func returnMemory() {
        let wanted = (idleBytes + Self.stepBytes - 1) / Self.stepBytes * Self.stepBytes
        guard let budget, wanted < heldBytes else { return }
        budget.give(heldBytes - wanted, isLarge: false)
        heldBytes = wanted
    }

    /// Closes the connection that has been idle longest. Returns false if no connection is idle.
    @discardableResult
    private func endOldest() -> Bool {
        let oldest = origins.values.min { ($0.oldestSince ?? .distantFuture) < ($1.oldestSince ?? .distantFuture) }
        guard let oldest, oldest.oldestSince != nil else { return false }
        oldest.endOldest()
        return true
    }

    // MARK: Time

    /// Closes the connections that have been idle for a minute.
    func timerFired() {
        let now = client.loop.now
        var left = Self.endedPerTurn
        var next = LoopTime.distantFuture
        // Closing a connection may remove its origin from the table, so this iterates over a copy.
        for origin in Array(origins.values) {
            while let since = origin.oldestSince {
                guard now >= since + Self.idleNanoseconds, left > 0 else {
                    next = min(next, since + Self.idleNanoseconds)
                    break
                }
                origin.endOldest()
                left -= 1
            }
        }
        returnMemory()
        isArmed = next != .distantFuture
        // The timer is set to a later turn, so that other work is done in between.
        if isArmed { client.loop.arm(timer, at: max(next, now + 1_000_000)) }
    }
}
