import Engine

/// A reader of the use of limits from their records in the store. It counts no requests.
package struct LimitReader {
    private let store: any CounterStore
    private let slotMicroseconds: Int
    private let time: Int
    private let secret: StoreSecret?

    /// The maximum number of records that are read in one call to the store.
    private static let batch = 100
    private static let tries = 16

    /// - Parameter slotSeconds: the time for which an instance's slot entries are valid.
    package init(
        _ store: any CounterStore,
        slotSeconds: Int,
        secret: StoreSecret? = nil,
        at reading: ClockReading = LimitClock.system.now()
    ) {
        self.store = store
        self.secret = secret
        slotMicroseconds = slotSeconds * 1_000_000
        time = reading.wall
    }

    /// Returns the use of the charges' limits from the store, in the order of the charges. Blocks.
    package func read(_ charges: [LimitCharge]) throws(StoreFailure) -> [LimitUse] {
        var uses = zip(charges, try read(charges.map { $0.identity.storeKey($0.limit, secret) })).map {
            use($0.limit, $1)
        }
        // A record that does not exist yet begins with what earlier versions of the relay counted.
        let open = charges.indices.filter { uses[$0].births.isEmpty && charges[$0].limit.quota.unit != .concurrent }
        let former = try read(open.map { charges[$0].identity.formerStoreKey(charges[$0].limit, secret) })
        for (index, value) in zip(open, former) { uses[index] = use(charges[index].limit, value) }
        return uses
    }

    /// Returns how many seconds ago a server of the store started, if that was within the last minute: its records may
    /// not all be put back. Blocks.
    package func secondsSinceStart() throws(StoreFailure) -> Int? {
        var latest: Int?
        for server in store.servers.indices {
            let state = try store.connect(to: server).status()
            guard let startedAt = state.startedAt, state.seconds - startedAt < 60 else { continue }
            latest = min(latest ?? .max, max(0, state.seconds - startedAt))
        }
        return latest
    }

    /// Returns the values of keys, in the order of the keys; nil for each key that is absent.
    private func read(_ keys: [String]) throws(StoreFailure) -> [[UInt8]?] {
        var values = [[UInt8]?](repeating: nil, count: keys.count)
        let servers = keys.map(store.server)
        for server in Set(servers) {
            let connection = try store.connect(to: server)
            var indices = keys.indices.filter { servers[$0] == server }[...]
            while !indices.isEmpty {
                let some = indices.prefix(Self.batch)
                indices = indices.dropFirst(Self.batch)
                for (index, value) in zip(some, try connection.read(some.map { keys[$0] })) {
                    values[index] = value?.bytes
                }
            }
        }
        return values
    }

    /// Gives back units of a limit that were counted wrongly, from the newest buckets first. At most the counted units
    /// are given back. Blocks.
    /// - Returns: the key of the limit's record; nil if the store has no record of any use.
    package func giveBack(_ units: Int, of charge: LimitCharge) throws(StoreFailure) -> String? {
        let limit = charge.limit
        let keys = [charge.identity.storeKey(limit, secret), charge.identity.formerStoreKey(limit, secret)]
        var isRecorded = false
        for key in keys {
            try update(key, expirySeconds: limit.expirySeconds(slotMicroseconds: slotMicroseconds)) { bytes in
                guard let bytes, case .counts(var record)? = try? StoredRecord(bytes, of: limit) else { return nil }
                guard record.giveBack(units) > 0 else { return nil }
                isRecorded = true
                return record.encoded()
            }
        }
        return isRecorded ? keys[0] : nil
    }

    /// Changes a value in the store. Blocks.
    /// - Parameter change: gets the value, nil if it is absent, and returns the new one, nil to leave it. Can be called
    ///   several times.
    package func update(
        _ key: String,
        expirySeconds: Int,
        _ change: (_ bytes: [UInt8]?) -> [UInt8]?
    ) throws(StoreFailure) {
        let connection = try store.connect(to: store.server(of: key))
        for _ in 0..<Self.tries {
            let found = try connection.read([key]).first ?? nil
            guard let value = change(found?.bytes) else { return }
            let write = StoreWrite(key: key, value: value, version: found?.version, expirySeconds: expirySeconds)
            if try connection.write(write).isWritten { return }
        }
        throw StoreFailure(reason: "other instances keep changing the record")
    }

    /// Returns the use of a limit from its value in the store. An unreadable value counts as absent.
    private func use(_ limit: Limit, _ bytes: [UInt8]?) -> LimitUse {
        switch bytes.flatMap({ try? StoredRecord($0, of: limit) }) {
        case .counts(var record):
            if record.isTooFarAhead(of: time) { record.moveBack(to: time) }
            record.roll(to: time)
            return LimitUse(
                limit: limit,
                used: record.total,
                leased: record.leased(at: time),
                resetMicroseconds: limit.reset(record.reset(at: time), at: time),
                isRecorded: record.total > 0,
                births: [record.birth] + (record.origin.map { [$0.record.birth] } ?? [])
            )
        case .slots(let record):
            let living = record.living(at: time, slotMicroseconds: slotMicroseconds)
            let held = living.reduce(0) { min($0 + $1.held, Record.countBound) }
            return LimitUse(limit: limit, used: held, leased: 0, resetMicroseconds: 0, isRecorded: !living.isEmpty)
        case nil: return LimitUse(limit: limit, used: 0, leased: 0, resetMicroseconds: 0, isRecorded: false)
        }
    }
}
