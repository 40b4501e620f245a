/// The accounts that this instance remembers, in three parts that cannot evict each other. So a client that invents
/// keys cannot reset the counts of callers with a real key.
struct AccountTable {
    enum Part: Int, CaseIterable {
        /// Known keys, and all callers together.
        case known
        /// Failed authentications and logins of an address.
        case failures
        /// Callers without a configured key: passthrough keys and client addresses.
        case unregisteredCallers
    }

    private struct Shelf {
        var table = RecentTable<RecordKey, Account>()
        var bytes = 0
        let bound: Int
    }

    private var shelves: [Shelf]
    /// The number of least recently used accounts from which the one with the smallest used share is evicted.
    private static let candidates = 8
    /// The number of accounts that are searched for one that owes the store nothing. If all of them owe, one of them is
    /// evicted.
    private static let owingCandidates = 32

    /// - Parameter bytes: the memory that all accounts together may use.
    init(bytes: Int) {
        shelves = Part.allCases.map { part in
            switch part {
            case .known: Shelf(bound: bytes / 2)
            case .failures: Shelf(bound: bytes / 8)
            case .unregisteredCallers: Shelf(bound: bytes / 8 * 3)
            }
        }
    }

    var count: Int { shelves.reduce(0) { $0 + $1.table.count } }

    mutating func use(_ key: RecordKey, _ part: Part) -> Account? { shelves[part.rawValue].table.use(key) }

    mutating func add(_ account: Account, _ part: Part) {
        shelves[part.rawValue].table.set(account.key, account)
        shelves[part.rawValue].bytes += account.bytes
    }

    /// Calls `body` for at most `count` accounts of a part, from the end of the table to its beginning.
    ///
    /// - Parameter end: the value that the last call returned, `.max` at first.
    /// - Returns: 0 after the last account.
    func visit(_ part: Part, below end: Int, atMost count: Int, _ body: (Account) -> Void) -> Int {
        shelves[part.rawValue].table.visit(below: end, atMost: count, body)
    }

    func forEach(_ body: (Account) -> Void) {
        for shelf in shelves { shelf.table.forEach(body) }
    }

    /// Drops accounts that are spent and, beyond the memory bound, those that matter least. Accounts with work are
    /// kept. Returns the dropped accounts.
    mutating func makeRoom(_ part: Part, _ now: ClockReading) -> [Account] {
        var dropped: [Account] = []
        for _ in 0..<4 {
            guard let oldest = shelves[part.rawValue].table.leastRecent?.value, oldest.usedAt != now.steady else {
                break
            }
            if !oldest.isIdle {
                _ = shelves[part.rawValue].table.use(oldest.key)
            } else if oldest.counter.isSpent(at: now.wall) {
                dropped.append(remove(oldest, part))
            } else {
                break
            }
        }
        while shelves[part.rawValue].bytes > shelves[part.rawValue].bound, let least = leastUsed(part, now) {
            dropped.append(remove(least, part))
        }
        return dropped
    }

    private mutating func remove(_ account: Account, _ part: Part) -> Account {
        _ = shelves[part.rawValue].table.remove(account.key)
        shelves[part.rawValue].bytes -= account.bytes
        return account
    }

    /// Returns the account with the smallest used share among the least recently used ones. The others count as
    /// recently used from then on. Accounts that owe something are returned only if there are no others; nil if none
    /// can be dropped.
    private mutating func leastUsed(_ part: Part, _ now: ClockReading) -> Account? {
        var (least, leastOwing): ((account: Account, share: Double)?, (account: Account, share: Double)?)
        var (looked, owing) = (0, 0)
        while looked < Self.candidates, owing < Self.owingCandidates {
            // The accounts of the request that needs the room are kept.
            guard let oldest = shelves[part.rawValue].table.leastRecent?.value, oldest.usedAt != now.steady else {
                break
            }
            _ = shelves[part.rawValue].table.use(oldest.key)
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

extension AccountTable.Part {
    init(_ charge: borrowing LimitCharge) {
        let isOfGuesses = charge.limit.kind == .failedAuth || charge.limit.kind == .login
        self = isOfGuesses ? .failures : charge.identity.isKnown ? .known : .unregisteredCallers
    }
}
