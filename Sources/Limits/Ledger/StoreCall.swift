/// One call to a lane's server, as the ledger wants it done.
enum StoreCall: Sendable {
    /// Throws the lane's connection away and opens another one.
    case connect
    case read([Account])
    case time
    /// Each is carried out or not, whatever becomes of the others. Records that are likely to be lost to others are read
    /// in the same call, after that.
    case write([WritePlan], thenRead: [Account])
}

/// The result of a call.
enum StoreReply: Sendable {
    /// With the server's time in seconds since 1970.
    case connected(Int)
    /// In the order of the accounts asked for.
    case found([Found])
    /// Seconds since 1970.
    case time(Int)
    /// In the order of the plans, and of the accounts that were read after them.
    case wrote([WriteResult], [Found])
}

/// A record as found in the store.
enum Found: Sendable {
    case absent
    case record(StoredRecord, StoredValue.Version)
    /// Far ahead of our clock and of the store's.
    case ahead(StoredRecord, StoredValue.Version)
    case broken(StoredValue.Version, reason: String)

    /// Of one clock; whether it is moved back, the store's decides, too.
    func isTooFarAhead(of time: Int) -> Bool {
        if case .record(let record, _) = self { record.isTooFarAhead(of: time) } else { false }
    }

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

/// Values are read and written without the ledger's lock.
extension StoreCall {
    /// Nil: a connection has nothing to do with it.
    var polled: PolledCall? {
        switch self {
        case .connect: nil
        case .read(let accounts): .read(accounts.map(\.storeKey))
        case .time: .time
        case .write(let plans, let accounts): .write(plans.map(\.write), thenRead: accounts.map(\.storeKey))
        }
    }

    func reply(_ answer: PolledAnswer) -> StoreReply {
        switch answer {
        case .values(let values):
            guard case .read(let accounts) = self else { preconditionFailure("nothing was read") }
            return .found(Self.found(values, accounts))
        case .wrote(let results, let values):
            guard case .write(_, let accounts) = self else { preconditionFailure("nothing was written") }
            return .wrote(results, Self.found(values, accounts))
        case .time(let seconds): return .time(seconds)
        }
    }

    private static func found(_ values: [StoredValue?], _ accounts: [Account]) -> [Found] {
        zip(values, accounts).map { Found($0, of: $1.limit) }
    }
}

extension CounterConnection {
    /// Blocks.
    func perform(_ call: StoreCall) throws(StoreFailure) -> StoreReply {
        guard let asked = call.polled else { return .connected(try time()) }
        switch asked {
        case .read(let keys): return call.reply(.values(try read(keys)))
        case .time: return .time(try time())
        case .write(let writes, let keys):
            var results: [WriteResult] = []
            for write in writes { results.append(try perform(write)) }
            return call.reply(.wrote(results, keys.isEmpty ? [] : try read(keys)))
        }
    }

    private func perform(_ write: StoreWrite) throws(StoreFailure) -> WriteResult {
        if let version = write.version {
            return try replace(write.key, write.value, version: version, expirySeconds: write.expirySeconds)
        }
        return try add(write.key, write.value, expirySeconds: write.expirySeconds)
    }
}

extension WritePlan {
    fileprivate var write: StoreWrite {
        var version: StoredValue.Version?
        switch fresh {
        case .version(let known), .kept(let known): version = known
        case .absent, .nothing: break
        }
        return StoreWrite(key: key, value: record.encoded(), version: version, expirySeconds: expirySeconds)
    }
}
