package import Engine

/// Reading and resetting of limits by an operator.
extension Limiter {
    /// Sets the use of one limit of one caller to 0, in the store first. Other instances follow by `forget`.
    ///
    /// - Parameter shared: the limiter's store; nil if limits are counted in this process.
    /// - Returns: the record's key in the store; nil if there is no store.
    package func reset(
        _ claim: Claim,
        in shared: SharedState?,
        on loop: EventLoop
    ) async throws(StoreFailure) -> String? {
        guard let shared else {
            tell { ledger, now in
                if let account = ledger.account(of: claim, at: now) { ledger.forget(account, at: now) }
            }
            return nil
        }
        let limit = claim.limit
        let (key, time, expirySeconds) = tell { ledger, now in
            (
                claim.identity.storeKey(limit, ledger.options.secret), ledger.read(now).wall,
                ledger.expirySeconds(limit)
            )
        }
        _ = try await shared.update(key, expirySeconds: expirySeconds, on: loop) { bytes in
            guard let bytes, case .counts(var record)? = try? StoredRecord(bytes, of: limit) else {
                return SharedState.Change(nil, true)
            }
            record.empty(at: time)
            return SharedState.Change(StoredRecord.counts(record).encoded(), true)
        }
        tell { ledger, now in
            if let account = ledger.account(of: claim, at: now) { ledger.forget(account, at: now) }
        }
        return key
    }

    /// Forgets what this instance knows about records that another instance has reset.
    ///
    /// - Parameter keys: the records' keys in the store.
    package func forget(_ keys: Set<String>) {
        guard !keys.isEmpty else { return }
        // The keys are compared without the lock, because requests wait for it.
        let accounts = tell { ledger, _ in
            var all: [Account] = []
            all.reserveCapacity(ledger.accounts.count)
            ledger.accounts.forEach { all.append($0) }
            return all
        }
        let found = accounts.filter { keys.contains($0.storeKey) }
        tell { ledger, now in
            for account in found { ledger.forget(account, at: now) }
        }
    }

    /// Returns the use of the claims' limits as this instance knows it, in the order of the claims.
    package func knownUses(_ claims: [Claim]) -> [LimitUse] { tell { $0.uses(claims, at: $1) } }

    /// Returns the number of this instance's requests that wait for a decision about each claim's limit.
    package func waiting(_ claims: [Claim]) -> [Int] { tell { $0.waiting(claims, at: $1) } }

    /// Whether all servers of the store are available; nil if there is no store.
    package var isStoreAvailable: Bool? {
        tell { ledger, _ in ledger.isShared ? !ledger.servers.contains(where: \.isDown) : nil }
    }
}
