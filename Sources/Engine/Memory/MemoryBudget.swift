import Synchronization

/// The memory that the process may use for request and response data: heads, bodies and parsed values, upload windows,
/// waiting output, streams. Used from any thread; each loop has a `LoopMemoryPool` in front of it.
///
/// A quarter is reserved for small requests (under 64 KB), because large ones together get at most the rest. One
/// holder, a caller or an address, may use at most a quarter. A quarter of that is always available for the holder's
/// small requests, so that they are served during a flood of large bodies from the same address.
package final class MemoryBudget: Sendable {
    /// The size of the whole budget.
    package let bytes: Int
    /// The part for tables and caches, which have bounds of their own.
    package let setAsideBytes: Int
    /// The most bytes that all large requests together may hold.
    let largeBytes: Int
    /// The most bytes that one holder may hold.
    package let quarterBytes: Int
    /// The amount that a loop reserves ahead for small requests, so that most of them use no shared state.
    let chunkBytes: Int
    /// The amount that a loop reserves ahead for small requests of one holder.
    let shareChunkBytes: Int
    /// The most bytes that idle connections to vendors may hold on one loop. All loops together have an eighth of the
    /// budget for them.
    let idleConnectionBytes: Int

    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The bytes of free blocks that are kept for the next requests. They are freed when memory is needed.
    private let kept = Atomic<Int>(0)
    private let holders = Lock<[MemoryHolder.Key: Entry]>([:])
    /// The requests that wait for memory of the whole budget. Requests that exceed the share of their holder wait in
    /// the holder's queue.
    let queue = MemoryQueue()

    let waits = Atomic<Int>(0)
    let refusals = Atomic<Int>(0)
    let slowBodies = Atomic<Int>(0)

    private struct Entry {
        let holder: MemoryHolder
        var uses: Int
    }

    /// The body size below which a request is small.
    package static let smallBytes = 65_536
    /// The time that a request waits for memory before it is refused.
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

    /// Returns a practically unlimited budget, for servers without a memory limit.
    package static func unbounded() -> MemoryBudget { MemoryBudget(bytes: .max / 4) }

    /// The reserved bytes, including those set aside and those that loops reserved ahead.
    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// The bytes held by large requests.
    package var largeUsedBytes: Int { large.load(ordering: .relaxed) }

    /// The number of times that something waited for memory.
    package var waitCount: Int { waits.load(ordering: .relaxed) }

    /// The number of requests and connections that were refused for lack of memory.
    package var refusalCount: Int { refusals.load(ordering: .relaxed) }

    /// The number of slow bodies that were ended because other requests needed memory.
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

    /// Reserves bytes that are already in use. Returns false if that exceeds the budget.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= bytes }

    // MARK: Kept blocks

    /// The bytes of free blocks that are kept for the next requests.
    package var keptBytes: Int { kept.load(ordering: .relaxed) }

    /// Counts a free block that is kept. Returns false if there is no room for it.
    func keep(_ count: Int) -> Bool {
        let all = kept.add(count, ordering: .relaxed).newValue
        if all + usedBytes <= bytes { return true }
        kept.subtract(count, ordering: .relaxed)
        return false
    }

    func removeKept(_ count: Int) { kept.subtract(count, ordering: .relaxed) }

    // MARK: Holders

    /// Returns the holder with this key. Each call needs one later call of `leave`.
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

    /// The number of holders.
    var holderCount: Int { holders.withLock { $0.count } }
}

/// The memory of one caller or one address. Used from any thread.
package final class MemoryHolder: Sendable {
    package struct Key: Hashable, Sendable {
        private let high: UInt64
        private let low: UInt64

        /// Creates the key of an IPv4 address, or of the /64 network of an IPv6 address.
        package init(_ address: PeerAddress) {
            let isVersionFour = address.high == 0 && address.low >> 32 == 0xffff
            high = address.high
            low = isVersionFour ? address.low : 0
        }

        /// Creates a key from the words of a digest.
        package init(_ words: (UInt64, UInt64)) { (high, low) = words }
    }

    let key: Key
    private let boundBytes: Int
    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The requests that wait because this holder uses too much.
    let queue = MemoryQueue()

    init(_ key: Key, boundBytes: Int) {
        self.key = key
        self.boundBytes = boundBytes
    }

    var usedBytes: Int { used.load(ordering: .relaxed) }

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

    /// Counts bytes that are already in use. Returns false if that exceeds the holder's bound.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= boundBytes }
}

/// A shortage of memory: the requests that wait, and the body that must end for them.
final class MemoryQueue: Sendable {
    private let waiting = Atomic<Int>(0)
    private let slowest = Lock<Nomination?>(nil)

    private struct Nomination {
        let loop: ObjectIdentifier
        let bytes: Int
        let at: LoopTime
    }

    /// The number of bytes that requests wait for.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) }

    func waits(for bytes: Int) { waiting.add(bytes, ordering: .relaxed) }
    func ended(_ bytes: Int) { waiting.subtract(bytes, ordering: .relaxed) }

    /// Nominates a loop's slowest body, once a second, by the bytes that arrived in the last five seconds. Returns true
    /// if it was also the slowest of all loops a second ago, so that each loop had time to nominate.
    func isSlowest(_ bytes: Int, of loop: ObjectIdentifier, at now: LoopTime) -> Bool {
        slowest.withLock { slowest in
            let known = slowest.flatMap { now < $0.at + 1_500_000_000 ? $0 : nil }
            if let known, known.loop != loop, known.bytes <= bytes { return false }
            slowest = Nomination(loop: loop, bytes: bytes, at: now)
            return known?.loop == loop
        }
    }
}
