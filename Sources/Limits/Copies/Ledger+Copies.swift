/// The copies of long limits' records in a database, for times when the store and all instances have lost them.
extension Ledger {
    struct Copies {
        /// The accounts without a record in the store, whose copies must be read from the database.
        var asked: [Account] = []
        /// The accounts whose records have changed since they were last saved in the database.
        var changed: [RecordKey: Account] = [:]
    }

    /// The time for which the database's answer that it has no copy holds, in microseconds.
    private static let answerMicroseconds = 1_000_000
    /// The largest number of records that wait until the database works again. Later ones wait for their next change.
    private static let changedBound = 20_000

    /// Returns whether an account without a record in the store must wait for its copy in the database. After the
    /// time-out of a call to the store, the rule for outages decides about its requests.
    mutating func awaitsCopy(_ account: Account, _ now: ClockReading) -> Bool {
        guard copies != nil, account.limit.isCopied, account.successor == nil else { return false }
        if let stopBy {
            if (account.counter as? WindowCounter)?.isCopy == true { return false }
            account.notBefore = stopBy
            return true
        }
        switch account.copy {
        case .answered(let until) where now.steady < until: return false
        case .asked(let until) where now.steady < until: break
        case .asked: useRule(for: account, account.waiting, now)
        case .unasked, .answered:
            let until = now.steady + options.timeoutMicroseconds
            account.copy = .asked(until: until)
            account.notBefore = until
            copies?.asked.append(account)
            outbox.areCopiesAsked = true
        }
        return true
    }

    /// Continues the accounts for which the database was asked.
    /// - Parameter found: the copies by their store keys; nil if the database did not answer.
    mutating func took(_ found: [String: RecordCopy]?, for accounts: [Account], at now: ClockReading) {
        let now = read(now)
        for account in accounts {
            let counter = account.counter as? WindowCounter
            if let copy = found?[account.storeKey], let record = try? Record(copy.record, account.limit.layout),
                !record.isTooFarAhead(of: now.wall)
            {
                counter?.take(record, version: copy.version, at: now.wall)
            }
            guard found != nil || counter?.isCopy == true else {
                account.copy = .unasked
                useRule(for: account, account.waiting, now)
                continue
            }
            account.copy = .answered(until: now.steady + Self.answerMicroseconds)
            account.notBefore = 0
            account.ruleUntil = 0
            if account.hasWork(at: now.wall) || counter?.isCopy == true { enqueue(account) }
        }
    }

    /// Notes that the account's record in the store has changed and must be saved in the database.
    mutating func changed(_ account: Account, _ now: ClockReading) {
        guard account.limit.isCopied, copies != nil else { return }
        account.copy = .unasked
        account.changedAt = now.wall
        mustSave(account)
    }

    /// Puts the account among those whose records must be saved in the database.
    mutating func mustSave(_ account: Account) {
        if let count = copies?.changed.count, count < Self.changedBound { copies?.changed[account.key] = account }
    }

    /// Returns the accounts for which the database must be asked.
    mutating func takeAsked() -> [Account] {
        defer { copies?.asked = [] }
        return copies?.asked ?? []
    }

    /// Returns at most `bound` records that must be saved in the database.
    mutating func takeChanged(atMost bound: Int) -> [ChangedRecord] {
        let some = copies.map { Array($0.changed.prefix(bound)) } ?? []
        return some.compactMap { key, account in
            copies?.changed[key] = nil
            guard let (record, version) = (account.counter as? WindowCounter)?.stored else { return nil }
            return ChangedRecord(
                account: account,
                record: record,
                version: version,
                milliseconds: account.changedAt / 1_000,
                expirySeconds: expirySeconds(account.limit)
            )
        }
    }
}

/// A record that must be saved in the database, with the number of its version and the time of its change.
struct ChangedRecord {
    let account: Account
    fileprivate let record: Record
    fileprivate let version: UInt64
    fileprivate let milliseconds: Int
    fileprivate let expirySeconds: Int

    var copy: RecordCopy {
        RecordCopy(
            key: account.storeKey,
            birth: record.birth,
            version: version,
            milliseconds: milliseconds,
            expirySeconds: expirySeconds,
            record: record.encoded()
        )
    }
}
