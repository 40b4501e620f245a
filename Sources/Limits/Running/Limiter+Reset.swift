package import Engine

extension Limiter {
    /// Sets the use of one limit of one caller to 0. Other instances notice this when they call `forget` with the
    /// returned key.
    /// - Parameter shared: the limiter's store; nil if limits are counted in this process.
    /// - Returns: the record's key in the store; nil if there is no store.
    package func reset(
        _ charge: LimitCharge,
        in shared: SharedState?,
        on loop: EventLoop
    ) async throws(StoreFailure) -> String? {
        guard let shared else {
            ledger.update { ledger, now in
                if let account = ledger.account(of: charge, at: now) { ledger.forget(account, at: now) }
            }
            return nil
        }
        let (_, key) = try await change(charge, in: shared, on: loop) { record, time in
            record.empty(at: time)
            return 0
        }
        // If the store loses the record, this instance must know that it was emptied.
        ledger.update { ledger, now in ledger.forget(ledger.account(charge, ledger.read(now)), at: now) }
        return key
    }

    /// Gives back units of one limit of one caller that were counted wrongly, from the newest buckets first. At most
    /// the counted units are given back. Other instances notice this when they call `compare` with the record's key.
    /// - Parameter shared: the limiter's store; nil if limits are counted in this process.
    /// - Returns: the number of units that were given back, and the record's key in the store.
    package func giveBack(
        _ units: Int,
        of charge: LimitCharge,
        in shared: SharedState?,
        on loop: EventLoop
    ) async throws(StoreFailure) -> (units: Int, key: String?) {
        guard let shared else {
            let given = ledger.update { ledger, now in
                guard let account = ledger.account(of: charge, at: now) else { return 0 }
                ledger.corrections &+= 1
                account.refusedUntil = 0
                let given = (account.counter as? WindowCounter)?.giveBack(units) ?? 0
                ledger.scheduleWrite(account, ledger.read(now))
                return given
            }
            return (given, nil)
        }
        var (given, key) = try await change(charge, in: shared, on: loop) { record, _ in record.giveBack(units) }
        if given == 0 {
            // This instance or the database may know the record that the store has lost; the look puts it back.
            _ = await used([charge], on: loop)
            given = try await change(charge, in: shared, on: loop) { record, _ in record.giveBack(units) }.units
        }
        if given > 0 {
            // If the store loses the record, this instance must know what was given back.
            ledger.update { ledger, now in ledger.compare([ledger.account(charge, ledger.read(now))]) }
        }
        return (given, key)
    }

    /// Changes a limit's record in the store, also the one that earlier versions of the relay counted in. Returns the
    /// larger number of units that `body` returned for them, and the record's key.
    /// - Parameter body: gets the record and the current time, and returns a number of units; can be called several times.
    private func change(
        _ charge: LimitCharge,
        in shared: SharedState,
        on loop: EventLoop,
        _ body: @escaping @Sendable (inout Record, Int) -> Int
    ) async throws(StoreFailure) -> (units: Int, key: String) {
        let limit = charge.limit
        let (keys, time, expirySeconds) = ledger.update { ledger, now in
            let secret = ledger.options.secret
            let keys = [charge.identity.storeKey(limit, secret), charge.identity.formerStoreKey(limit, secret)]
            return (keys, ledger.read(now).wall, ledger.expirySeconds(limit))
        }
        var units = 0
        for key in keys {
            let changed = try await shared.update(key, expirySeconds: expirySeconds, on: loop) { bytes in
                guard let bytes, case .counts(var record)? = try? StoredRecord(bytes, of: limit) else {
                    return SharedState.Change(nil, 0)
                }
                let changed = body(&record, time)
                return SharedState.Change(StoredRecord.counts(record).encoded(), changed)
            }
            units = max(units, changed)
        }
        return (units, keys[0])
    }

    /// Forgets the records with these store keys after another instance has reset them.
    package func forget(_ keys: Set<String>) {
        let found = accounts(of: keys)
        ledger.update { ledger, now in for account in found { ledger.forget(account, at: now) } }
    }

    /// Reads the records with these store keys again, of which another instance has given something back.
    package func compare(_ keys: Set<String>) {
        let found = accounts(of: keys)
        ledger.update { ledger, _ in ledger.compare(found) }
    }

    private func accounts(of keys: Set<String>) -> [Account] {
        guard !keys.isEmpty else { return [] }
        // The keys are compared without the lock, because requests wait for it.
        let accounts = ledger.update { ledger, _ in
            var all: [Account] = []
            all.reserveCapacity(ledger.accounts.count)
            ledger.accounts.forEach { all.append($0) }
            return all
        }
        return accounts.filter { keys.contains($0.storeKey) }
    }

    /// Returns this instance's knowledge of the limits' use, in the order of the charges.
    package func knownUses(_ charges: [LimitCharge]) -> [LimitUse] { ledger.update { $0.uses(charges, at: $1) } }

    /// Returns, for each charge, how many requests of this instance wait for a decision about its limit.
    package func waiting(_ charges: [LimitCharge]) -> [Int] { ledger.update { $0.waiting(charges, at: $1) } }

    /// Whether all servers of the store are available; nil if there is no store.
    package var isStoreAvailable: Bool? {
        ledger.update { ledger, _ in ledger.isShared ? !ledger.servers.contains(where: \.isDown) : nil }
    }
}
