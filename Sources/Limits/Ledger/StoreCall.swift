/// One call to a lane's server, as the ledger wants it done.
enum StoreCall: Sendable {
    /// Throws the lane's connection away and opens another one.
    case connect
    case read([Account])
    case time
    case write(WritePlan)
}

/// The result of a call.
enum StoreReply: Sendable {
    /// With the server's time in seconds since 1970.
    case connected(Int)
    /// In the order of the accounts asked for.
    case found([Found])
    /// Seconds since 1970.
    case time(Int)
    case wrote(WriteResult)
}

/// A record as found in the store.
enum Found: Sendable {
    case absent
    case record(StoredRecord, StoredValue.Version)
    /// Far ahead of our clock and of the store's.
    case ahead(StoredRecord, StoredValue.Version)
    case broken(StoredValue.Version, reason: String)

    init(_ value: StoredValue?, of limit: Limit) {
        guard let value else {
            self = .absent
            return
        }
        do throws(Record.Flaw) {
            self = .record(try StoredRecord(value.bytes, of: limit), value.version)
        } catch {
            self = .broken(value.version, reason: error.rawValue)
        }
    }
}

extension CounterConnection {
    /// Blocks. Reads and writes values without the ledger's lock.
    func perform(_ call: StoreCall) throws(StoreFailure) -> StoreReply {
        switch call {
        case .connect: return .connected(try time())
        case .read(let accounts):
            let values = try read(accounts.map(\.storeKey))
            return .found(zip(values, accounts).map { Found($0, of: $1.limit) })
        case .time: return .time(try time())
        case .write(let plan):
            let value = plan.record.encoded()
            switch plan.fresh {
            case .version(let version):
                return .wrote(
                    try replace(plan.key, value, version: version, expirySeconds: plan.expirySeconds)
                )
            case .absent: return .wrote(try add(plan.key, value, expirySeconds: plan.expirySeconds))
            case .nothing: return .wrote(.lost)
            }
        }
    }
}
