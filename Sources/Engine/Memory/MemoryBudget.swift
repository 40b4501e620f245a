import Synchronization

/// The memory that the process may hold of what others send: heads, bodies and what is read from them, upload windows,
/// waiting output, streams. Used from any thread; each loop has a `MemoryDesk` of its own before it.
///
/// A quarter is for small requests (under 64 KB), since large ones together get no more than the rest. One holder, a
/// caller or an address, has at most a quarter; a quarter of that is for its small requests in any case, so that whoever
/// shares an address with a flood of large bodies is served on.
package final class MemoryBudget: Sendable {
    /// All of it.
    package let bytes: Int
    /// The part of tables and caches, which have bounds of their own.
    package let setAsideBytes: Int
    /// The most that all large requests may hold.
    let largeBytes: Int
    /// The most that one holder may hold.
    package let quarterBytes: Int
    /// The amount that a loop takes ahead for small requests, so that most of them touch nothing shared.
    let chunkBytes: Int
    /// The same of one holder.
    let shareChunkBytes: Int
    /// The largest amount of memory that idle connections to vendors may hold on one loop. All loops together have an eighth
    /// of the budget for them.
    let idleConnectionBytes: Int

    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The bytes of free blocks that are kept for the next requests. They give way to whatever wants memory.
    private let kept = Atomic<Int>(0)
    private let holders = Lock<[MemoryHolder.Key: Entry]>([:])
    /// The requests that wait for memory, but not because of their holder.
    let queue = MemoryQueue()

    let waits = Atomic<Int>(0)
    let refusals = Atomic<Int>(0)
    let slowBodies = Atomic<Int>(0)

    private struct Entry {
        let holder: MemoryHolder
        var uses: Int
    }

    /// Requests with a body below this are small.
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

    /// For servers that nobody gave one.
    package static func unbounded() -> MemoryBudget { MemoryBudget(bytes: .max / 4) }

    /// Held now, with what is set aside and what loops took ahead.
    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Held by large requests.
    package var largeUsedBytes: Int { large.load(ordering: .relaxed) }

    /// Times that something waited for memory.
    package var waitCount: Int { waits.load(ordering: .relaxed) }

    /// Requests and connections that were refused for want of it.
    package var refusalCount: Int { refusals.load(ordering: .relaxed) }

    /// Bodies that ended for others.
    package var slowBodyCount: Int { slowBodies.load(ordering: .relaxed) }

    // MARK: Taking

    func take(_ count: Int, isLarge: Bool) -> Bool {
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

    /// Counts what is there already. False: it is more than should be.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= bytes }

    // MARK: Kept blocks

    /// The bytes of free blocks that are kept for the next requests.
    package var keptBytes: Int { kept.load(ordering: .relaxed) }

    /// Counts a free block that is to be kept. Returns false if there is no room for it.
    func keep(_ count: Int) -> Bool {
        let all = kept.add(count, ordering: .relaxed).newValue
        if all + usedBytes <= bytes { return true }
        kept.subtract(count, ordering: .relaxed)
        return false
    }

    func keepsNoLonger(_ count: Int) { kept.subtract(count, ordering: .relaxed) }

    // MARK: Holders

    /// Each `holder` is followed by one `leave`.
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

/// The memory of one caller, or one address. Used from any thread.
package final class MemoryHolder: Sendable {
    package struct Key: Hashable, Sendable {
        private let high: UInt64
        private let low: UInt64

        /// An address of version 4, or a /64 of version 6.
        package init(_ address: PeerAddress) {
            let isVersionFour = address.high == 0 && address.low >> 32 == 0xffff
            high = address.high
            low = isVersionFour ? address.low : 0
        }

        /// Words of a digest.
        package init(_ words: (UInt64, UInt64)) { (high, low) = words }
    }

    let key: Key
    private let boundBytes: Int
    private let used = Atomic<Int>(0)
    private let large = Atomic<Int>(0)
    /// The requests that wait because this holder has too much.
    let queue = MemoryQueue()

    init(_ key: Key, boundBytes: Int) {
        self.key = key
        self.boundBytes = boundBytes
    }

    var usedBytes: Int { used.load(ordering: .relaxed) }

    func take(_ count: Int, isLarge: Bool) -> Bool {
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

    /// False: it is more than should be.
    func force(_ count: Int) -> Bool { used.add(count, ordering: .relaxed).newValue <= boundBytes }
}

/// A shortage of memory: the requests that wait, and the body that is to end for them.
final class MemoryQueue: Sendable {
    private let waiting = Atomic<Int>(0)
    private let slowest = Lock<Nomination?>(nil)

    private struct Nomination {
        let loop: ObjectIdentifier
        let bytes: Int
        let at: LoopTime
    }

    /// Bytes that are waited for.
    var waitingBytes: Int { waiting.load(ordering: .relaxed) }

    func waits(for bytes: Int) { waiting.add(bytes, ordering: .relaxed) }
    func ended(_ bytes: Int) { waiting.subtract(bytes, ordering: .relaxed) }

    /// A loop names its slowest body, once a second, by what of it came in the last five. True: it was the slowest of
    /// all loops a second ago as well, so that each has had its say.
    func isSlowest(_ bytes: Int, of loop: ObjectIdentifier, at now: LoopTime) -> Bool {
        slowest.withLock { slowest in
            let known = slowest.flatMap { now < $0.at + 1_500_000_000 ? $0 : nil }
            if let known, known.loop != loop, known.bytes <= bytes { return false }
            slowest = Nomination(loop: loop, bytes: bytes, at: now)
            return known?.loop == loop
        }
    }
}
