package import Engine

/// Reading and resetting of limits by an operator.
extension Limiter {
    /// Sets the use of one limit of one caller to 0. Other instances notice this when they call `forget` with the
    /// returned key.
    ///
    /// - Parameter shared: the limiter's store; nil if limits are counted in this process.
    /// - Returns: the record's key in the store; nil if there is no store.
    package func reset(
        _ charge: LimitCharge,
        in shared: SharedState?,
        on loop: EventLoop
    ) async throws(StoreFailure) -> String? {
        guard let shared else {
            update { ledger, now in
                if let account = ledger.account(of: charge, at: now) { ledger.forget(account, at: now) }
            }
            return nil
        }
        let limit = charge.limit
        let (key, time, expirySeconds) = update { ledger, now in
            (charge.identity.storeKey(limit, ledger.options.secret), ledger.read(now).wall, ledger.expirySeconds(limit))
        }
        _ = try await shared.update(key, expirySeconds: expirySeconds, on: loop) { bytes in
            guard let bytes, case .counts(var record)? = try? StoredRecord(bytes, of: limit) else {
                return SharedState.Change(nil, true)
            }
            record.empty(at: time)
            return SharedState.Change(StoredRecord.counts(record).encoded(), true)
        }
        update { ledger, now in
            if let account = ledger.account(of: charge, at: now) { ledger.forget(account, at: now) }
        }
        return key
    }

    /// Forgets the records with these store keys after another instance has reset them.
    package func forget(_ keys: Set<String>) {
        guard !keys.isEmpty else { return }
        // The keys are compared without the lock, because requests wait for it.
        let accounts = update { ledger, _ in
            var all: [Account] = []
            all.reserveCapacity(ledger.accounts.count)
            ledger.accounts.forEach { all.append($0) }
            return all
        }
        let found = accounts.filter { keys.contains($0.storeKey) }
        update { ledger, now in for account in found { ledger.forget(account, at: now) } }
    }

    /// Returns this instance's knowledge of the limits' use, in the order of the charges.
    package func knownUses(_ charges: [LimitCharge]) -> [LimitUse] { update { $0.uses(charges, at: $1) } }

    /// Returns, for each charge, how many requests of this instance wait for a decision about its limit.
    package func waiting(_ charges: [LimitCharge]) -> [Int] { update { $0.waiting(charges, at: $1) } }

    /// Whether all servers of the store are available; nil if there is no store.
    package var isStoreAvailable: Bool? {
        update { ledger, _ in ledger.isShared ? !ledger.servers.contains(where: \.isDown) : nil }
    }
}
