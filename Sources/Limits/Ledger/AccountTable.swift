/// The accounts that this instance keeps in memory. Each partition has its own memory bound, so a client that invents
/// keys or sessions cannot evict the accounts of known callers.
struct AccountTable {
    struct PartitionKind {
        let rawValue: Int

        /// The accounts of known keys, and the account that counts all callers together.
        static let known = PartitionKind(rawValue: 0)
        /// The accounts that count failed authentications and logins from an address.
        static let failures = PartitionKind(rawValue: 1)
        /// The accounts of callers without a configured key, such as passthrough keys and client addresses.
        static let unregisteredCallers = PartitionKind(rawValue: 2)

        /// The accounts of sessions. All sessions of a caller are in one of these partitions.
        static func sessions(_ part: Int) -> PartitionKind { PartitionKind(rawValue: 3 + part) }
    }

    private struct Partition {
        var table = RecentTable<RecordKey, Account>()
        var bytes = 0
        let bound: Int
    }

    private var partitions: [Partition]
    /// The number of least recently used accounts that one eviction compares.
    private static let candidates = 8
    /// The number of accounts with unwritten units that an eviction skips before it may drop one of them.
    private static let owingCandidates = 32

    /// - Parameter bytes: the memory that all accounts together are allowed to use.
    init(bytes: Int) {
        let sessions = [Int](repeating: bytes / 8 / Identity.sessionParts, count: Identity.sessionParts)
        partitions = ([bytes / 2, bytes / 8, bytes / 4] + sessions).map { Partition(bound: $0) }
    }

    var count: Int { partitions.reduce(0) { $0 + $1.table.count } }

    mutating func use(_ key: RecordKey, _ part: PartitionKind) -> Account? { partitions[part.rawValue].table.use(key) }

    mutating func add(_ account: Account, _ part: PartitionKind) {
        partitions[part.rawValue].table.set(account.key, account)
        partitions[part.rawValue].bytes += account.bytes
    }

    /// Calls `body` for the next accounts of a partition, at most `count` of them.
    /// - Parameter end: the result of the previous call; `.max` for the first call.
    /// - Returns: the `end` for the next call; 0 after the last account.
    func visit(_ part: PartitionKind, below end: Int, atMost count: Int, _ body: (Account) -> Void) -> Int {
        partitions[part.rawValue].table.visit(below: end, atMost: count, body)
    }

    func forEach(_ body: (Account) -> Void) {
        for partition in partitions { partition.table.forEach(body) }
    }

    /// Drops some idle accounts whose counts no longer matter. Drops more idle accounts while the partition exceeds its
    /// memory bound. Returns the dropped accounts.
    mutating func makeRoom(_ part: PartitionKind, _ now: ClockReading) -> [Account] {
        var dropped: [Account] = []
        for _ in 0..<4 {
            guard let oldest = partitions[part.rawValue].table.leastRecentlyUsed?.value, oldest.usedAt != now.steady
            else {
                break
            }
            if !oldest.isIdle {
                _ = partitions[part.rawValue].table.use(oldest.key)
            } else if oldest.counter.isSpent(at: now.wall) {
                dropped.append(remove(oldest, part))
            } else {
                break
            }
        }
        while partitions[part.rawValue].bytes > partitions[part.rawValue].bound, let least = leastUsed(part, now) {
            dropped.append(remove(least, part))
        }
        return dropped
    }

    private mutating func remove(_ account: Account, _ part: PartitionKind) -> Account {
        _ = partitions[part.rawValue].table.remove(account.key)
        partitions[part.rawValue].bytes -= account.bytes
        return account
    }

    /// Returns the account to evict: an idle one of the least recently used accounts, with the smallest used part of
    /// its limit. Returns nil if none of them can be dropped.
    private mutating func leastUsed(_ part: PartitionKind, _ now: ClockReading) -> Account? {
        var (least, leastOwing): ((account: Account, share: Double)?, (account: Account, share: Double)?)
        var (looked, owing) = (0, 0)
        while looked < Self.candidates, owing < Self.owingCandidates {
            // The accounts of the request that needs the room are kept.
            guard let oldest = partitions[part.rawValue].table.leastRecentlyUsed?.value, oldest.usedAt != now.steady
            else {
                break
            }
            _ = partitions[part.rawValue].table.use(oldest.key)
            looked += oldest.counter.owes ? 0 : 1
            owing += oldest.counter.owes ? 1 : 0
            guard oldest.isIdle else { continue }
            let share = oldest.counter.usedShare(at: now.wall)
            if oldest.counter.owes {
                if leastOwing.map({ share < $0.share }) ?? true { leastOwing = (oldest, share) }
                continue
            }
            if least.map({ share < $0.share }) ?? true { least = (oldest, share) }
            if share == 0 { break }
        }
        return least?.account ?? (owing == Self.owingCandidates ? leastOwing?.account : nil)
    }
}

extension AccountTable.PartitionKind {
    init(_ charge: borrowing LimitCharge) {
        let isOfGuesses = charge.limit.kind == .failedAuth || charge.limit.kind == .login
        if let part = charge.identity.sessionPart {
            self = .sessions(Int(part))
        } else {
            self = isOfGuesses ? .failures : charge.identity.isKnown ? .known : .unregisteredCallers
        }
    }
}
