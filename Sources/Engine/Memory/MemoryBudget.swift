import Synchronization

/// The memory that the process may use for data of requests and responses. Any thread may use the budget.
///
/// A quarter of the budget is kept free for small requests; large requests (64 KB and more) cannot use this quarter.
/// One holder (a caller or an address) can normally use at most a quarter of the budget. If the holder's large requests
/// already use that much, the holder's small requests can use another sixteenth of the budget.
package final class MemoryBudget: Sendable {
    package let bytes: Int
    /// The number of bytes that are set aside in the budget for tables and caches.
    package let setAsideBytes: Int
    /// The largest number of bytes that all large requests together may use.
    let largeBytes: Int
    /// The largest number of bytes that one holder (a caller or an address) may use.
    package let quarterBytes: Int
    /// The number of bytes that a loop reserves from the budget at once for small requests.
    let chunkBytes: Int
    /// The number of bytes that a loop reserves at once from the limit of one holder, for small requests. A holder is a
    /// caller or an address.
    let shareChunkBytes: Int
    /// The largest number of bytes that idle connections to vendors may use on one loop.
    let idleConnectionBytes: Int

    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The bytes of freed memory blocks that are cached for later requests.
    private let kept = Atomic<Int>(0)
    private let holders = Lock<[MemoryHolder.Key: Entry]>([:])
    /// The queue of the requests that wait because the whole budget is used up.
    let queue = MemoryQueue()

    let waits = Atomic<Int>(0)
    let refusals = Atomic<Int>(0)
    let slowBodies = Atomic<Int>(0)

    private struct Entry {
        let holder: MemoryHolder
        var uses: Int
    }

    /// The size of a body in bytes below which its request counts as small.
    package static let smallBytes = 65_536
    /// The longest time that a request waits for memory, after which it is refused.
    static let patienceNanoseconds: UInt64 = 5_000_000_000

    package init(bytes: Int, setAside: Int = 0, loops: Int = 1) {
        self.bytes = bytes
        setAsideBytes = setAside
        quarterBytes = bytes / 4
        largeBytes = max(0, bytes - setAside - bytes / 4)
        chunkBytes = max(65_536, min(1_048_576, bytes / (64 * max(1, loops))))
        shareChunkBytes = max(16_384, min(262_144, bytes / 4 / (64 * max(1, loops))))
        idleConnectionBytes = bytes / 8 / max(1, loops)
        used.store(setAside, ordering: .relaxed)
    }

    /// Returns a budget that is too large to be exceeded.
    package static func unbounded() -> MemoryBudget { MemoryBudget(bytes: .max / 4) }

    /// The number of reserved bytes. They include the bytes set aside for tables and caches, and the bytes that loops
    /// have reserved for later requests.
    package var usedBytes: Int { used.load(ordering: .relaxed) }

    package var largeUsedBytes: Int { large.load(ordering: .relaxed) }

    /// The number of bytes that large requests can still reserve.
    var largeFreeBytes: Int { min(largeBytes - largeUsedBytes, bytes - usedBytes) }

    /// The number of times that a request or connection had to wait for memory.
    package var waitCount: Int { waits.load(ordering: .relaxed) }

    /// The number of requests and connections that were refused because memory was short.
    package var refusalCount: Int { refusals.load(ordering: .relaxed) }

    /// The number of slow request bodies that were ended because other requests needed memory.
    package var slowBodyCount: Int { slowBodies.load(ordering: .relaxed) }

    // MARK: Reserving

    func reserve(_ count: Int, isLarge: Bool) -> Bool {
        let wanted = used.add(count, ordering: .relaxed).newValue
        let excess = wanted + keptBytes - bytes
        if excess > 0 { KeptBlocks.free(excess) }
        if wanted > bytes {
            used.subtract(count, ordering: .relaxed)
            return false
        }
        guard isLarge else { return true }
        if large.add(count, ordering: .relaxed).newValue > largeBytes {
            large.subtract(count, ordering: .relaxed)
            used.subtract(count, ordering: .relaxed)
            return false
        }
        return true
    }

    func give(_ count: Int, isLarge: Bool) {
        used.subtract(count, ordering: .relaxed)
        if isLarge { large.subtract(count, ordering: .relaxed) }
    }

    /// Counts bytes that are already in use, even beyond the budget. Returns false if the budget is exceeded.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= bytes }

    // MARK: Kept blocks

    /// The bytes of freed memory blocks that are cached for later requests.
    package var keptBytes: Int { kept.load(ordering: .relaxed) }

    /// Counts a freed memory block that is kept for reuse. Returns false, without counting, if the budget has no room.
    func keep(_ count: Int) -> Bool {
        let all = kept.add(count, ordering: .relaxed).newValue
        if all + usedBytes <= bytes { return true }
        kept.subtract(count, ordering: .relaxed)
        return false
    }

    func removeKept(_ count: Int) { kept.subtract(count, ordering: .relaxed) }

    // MARK: Holders

    /// Returns the holder (a caller or an address) with this key. Each call needs one later call of `leave`.
    func holder(_ key: MemoryHolder.Key) -> MemoryHolder {
        holders.withLock { holders in
            let holder = holders[key]?.holder ?? MemoryHolder(key, boundBytes: quarterBytes)
            holders[key, default: Entry(holder: holder, uses: 0)].uses += 1
            return holder
        }
    }

    func leave(_ holder: MemoryHolder) {
        holders.withLock { holders in
            guard let uses = holders[holder.key]?.uses else { return }
            if uses > 1 { holders[holder.key]?.uses = uses - 1 } else { holders[holder.key] = nil }
        }
    }

    /// The number of holders (callers or addresses) that the budget knows now.
    var holderCount: Int { holders.withLock { $0.count } }
}

/// A holder of memory (a caller or an address): the memory that the holder uses, and the holder's limit. Any thread may
/// use this object.
package final class MemoryHolder: Sendable {
    package struct Key: Hashable, Sendable {
        private let high: UInt64
        private let low: UInt64

        /// Creates the key for an address. All IPv6 addresses of a /64 network have the same key.
        package init(_ address: PeerAddress) {
            let isVersionFour = address.high == 0 && address.low >> 32 == 0xffff
            high = address.high
            low = isVersionFour ? address.low : 0
        }

        /// Creates the key for a caller, from two words of the digest that identifies the caller.
        package init(_ words: (UInt64, UInt64)) { (high, low) = words }
    }

    let key: Key
    private let boundBytes: Int
    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The queue of the requests that wait because this holder has reached its limit.
    let queue = MemoryQueue()

    init(_ key: Key, boundBytes: Int) {
        self.key = key
        self.boundBytes = boundBytes
    }

    var usedBytes: Int { used.load(ordering: .relaxed) }
    /// The number of bytes that this holder can still reserve.
    var freeBytes: Int { boundBytes - usedBytes }

    func reserve(_ count: Int, isLarge: Bool) -> Bool {
        let all = used.add(count, ordering: .relaxed).newValue
        if all <= boundBytes || !isLarge && all - large.load(ordering: .relaxed) <= boundBytes / 4 {
            if isLarge { large.add(count, ordering: .relaxed) }
            return true
        }
        used.subtract(count, ordering: .relaxed)
        return false
    }

    func give(_ count: Int, isLarge: Bool) {
        used.subtract(count, ordering: .relaxed)
        if isLarge { large.subtract(count, ordering: .relaxed) }
    }

    /// Counts bytes that are already in use, even beyond the holder's limit. Returns false if the limit is exceeded.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= boundBytes }
}

/// The queue for one memory limit: the whole budget, or the limit of one holder. Large bodies of one holder wait in line.
final class MemoryQueue: Sendable {
    private let waiting = Atomic<Int>(0)
    private let slowest = Lock<Nomination?>(nil)
    /// The tickets of those who wait in line, on all loops, in the order in which they joined.
    private let line = Lock<(last: Int, tickets: [Int])>((0, []))

    private struct Nomination {
        let loop: ObjectIdentifier
        let pace: Double
        let at: LoopTime
    }

    /// The number of bytes for which requests in this queue wait.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) }

    func waits(for bytes: Int) { waiting.add(bytes, ordering: .relaxed) }
    func ended(_ bytes: Int) { waiting.subtract(bytes, ordering: .relaxed) }

    // MARK: The line

    /// Joins the line, and returns the ticket for `leave`.
    func join() -> Int {
        line.withLock { line in
            line.last += 1
            line.tickets.append(line.last)
            return line.last
        }
    }

    func leave(_ ticket: Int) { line.withLock { $0.tickets.removeAll { $0 == ticket } } }

    /// Returns whether the ticket is the first of the line; without a ticket, whether nobody is in line.
    func isNext(_ ticket: Int?) -> Bool { line.withLock { $0.tickets.first == ticket } }

    // MARK: Slow bodies

    /// Returns whether the loop's slowest body should be ended, because it was the slowest of all loops twice in a row.
    /// While requests wait for memory, each loop calls this method once a second.
    /// - Parameter pace: the pace of the body, from `SlowBodyRate.pace`.
    func isSlowest(_ pace: Double, of loop: ObjectIdentifier, at now: LoopTime) -> Bool {
        slowest.withLock { slowest in
            let known = slowest.flatMap { now < $0.at + 1_500_000_000 ? $0 : nil }
            if let known, known.loop != loop, known.pace <= pace { return false }
            slowest = Nomination(loop: loop, pace: pace, at: now)
            return known?.loop == loop
        }
    }
}
