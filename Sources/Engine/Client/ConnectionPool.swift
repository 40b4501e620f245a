/// The connections to vendors on one loop: those in use, and the idle ones that wait for the next call.
///
/// A call opens a connection only if none is idle, and takes the one that became idle last. So a connection that was
/// idle for a minute was not needed in that minute. The pool thus keeps as many connections as were in use at once in
/// the last minute.
///
/// Use it only on its loop's thread.
final class ConnectionPool: TimerTarget {
    unowned let client: CurlClient
    /// The number of connections, in use and idle, above which idle connections are closed.
    private let maxOpen: Int
    private let budget: MemoryBudget?
    private let wholeMultis: CurlMultis
    private let streamMultis: CurlMultis
    /// The origins that have a connection.
    private var origins: [Key: OriginConnections] = [:]
    private var lastFound: OriginConnections?
    private var openCount = 0
    private var idleBytes = 0
    /// The memory of idle connections that is reserved from the budget.
    private var heldBytes = 0
    private lazy var timer = Timer(self)
    private var isArmed = false
    private let rush: PeakMemoryTrimmer

    /// The key of an origin's connections. Streams have connections of their own, because libcurl searches all
    /// connections of a multi for each read.
    struct Key: Hashable {
        let origin: String
        let isStreamed: Bool
    }

    /// The most connections in one multi: libcurl searches all of them for the one that is read or written.
    private static let connectionsPerMulti = 128
    /// The time after which an idle connection is closed. Vendors and proxies close unused connections, some without
    /// notice.
    private static let idleNanoseconds: UInt64 = 60_000_000_000
    /// The amount of memory that is reserved from the budget at once.
    private static let stepBytes = 65_536
    /// The most idle connections that are closed in one turn of the loop.
    private static let endedPerTurn = 64

    init(_ client: CurlClient, maxOpen: Int) {
        self.client = client
        self.maxOpen = maxOpen
        budget = client.budget
        rush = PeakMemoryTrimmer(client.loop)
        wholeMultis = CurlMultis(client, most: Self.connectionsPerMulti)
        streamMultis = CurlMultis(client, most: Self.connectionsPerMulti)
    }

    /// Returns the connections that can carry calls of this form.
    func connections(for form: borrowing DirectRequestTemplate, isStreamed: Bool) -> OriginConnections {
        if let lastFound, lastFound.key.isStreamed == isStreamed, lastFound.key.origin == form.origin {
            return lastFound
        }
        let key = Key(origin: form.origin, isStreamed: isStreamed)
        let found =
            origins[key]
            ?? OriginConnections(
                key,
                hasTLS: form.hasTLS,
                multis: isStreamed ? streamMultis : wholeMultis,
                self
            )
        lastFound = found
        return found
    }

    // MARK: Calls from an origin's connections

    /// Makes room for one more connection, and counts it.
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

    /// Reserves the memory of a connection that becomes idle. If descriptors or memory are short, the oldest idle
    /// connections are closed.
    /// - Returns: whether the connection may be kept.
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

    /// Releases the memory of a connection that is no longer idle.
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

    /// Closes the oldest idle connection. Returns false if no connection is idle.
    @discardableResult
    private func endOldest() -> Bool {
        let oldest = origins.values.min { ($0.oldestSince ?? .distantFuture) < ($1.oldestSince ?? .distantFuture) }
        guard let oldest, oldest.oldestSince != nil else { return false }
        oldest.endOldest()
        return true
    }

    // MARK: Time

    /// Closes connections that were idle for a minute, a bounded number in each turn.
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
