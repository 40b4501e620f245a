/// A call that the ledger wants a lane to make to the lane's server of the store.
enum StoreCall: Sendable {
    /// Closes the lane's connection and opens another one.
    case connect
    case read([Account])
    case state
    /// Writes the planned records, and then reads some accounts' records in the same call.
    case write([WritePlan], thenRead: [Account])
}

enum StoreResult: Sendable {
    /// A connection to the server was opened. The value is the server's state.
    case connected(StoreState)
    /// The results of reading records, in the order of the accounts in the call.
    case found([FoundRecord])
    case state(StoreState)
    /// The results of the writes, in the order of the plans, and the records read, in the order of the accounts.
    case wrote([WriteResult], [FoundRecord])
}

/// The result of reading one record from the store.
enum FoundRecord: Sendable {
    case absent
    case record(StoredRecord, StoredValue.Version, mark: UInt32)
    /// A record whose newest bucket is far in the future by both this machine's clock and the store's clock.
    case ahead(StoredRecord, StoredValue.Version)
    case broken(StoredValue.Version, reason: String)

    /// Returns whether the newest bucket of the record is more than a window and five seconds after `time`.
    func isTooFarAhead(of time: Int) -> Bool {
        if case .record(let record, _, _) = self { record.isTooFarAhead(of: time) } else { false }
    }

    init(_ value: StoredValue?, of limit: Limit) {
        guard let value else {
            self = .absent
            return
        }
        do throws(Record.ReadError) {
            self = .record(try StoredRecord(value.bytes, of: limit), value.version, mark: value.mark)
        } catch {
            self = .broken(value.version, reason: error.rawValue)
        }
    }
}

/// The conversion of the ledger's store calls into calls of a connection, and of their results into results for the
/// ledger. The ledger's lock is not needed.
extension StoreCall {
    /// The call to make on an open connection; nil for `connect`, which opens a connection.
    var polled: PolledCall? {
        switch self {
        case .connect: nil
        case .read(let accounts): .read(accounts.map(\.storeKey))
        case .state: .state
        case .write(let plans, let accounts): .write(plans.map(\.write), thenRead: accounts.map(\.storeKey))
        }
    }

    func result(_ response: PolledResult) -> StoreResult {
        switch response {
        case .values(let values):
            guard case .read(let accounts) = self else { preconditionFailure("nothing was read") }
            return .found(Self.found(values, accounts))
        case .wrote(let results, let values):
            guard case .write(_, let accounts) = self else { preconditionFailure("nothing was written") }
            return .wrote(results, Self.found(values, accounts))
        case .state(let state): return .state(state)
        }
    }

    private static func found(_ values: [StoredValue?], _ accounts: [Account]) -> [FoundRecord] {
        zip(values, accounts).map { FoundRecord($0, of: $1.limit) }
    }
}

extension CounterConnection {
    /// Makes a call of the ledger on this connection and returns the result. Blocks.
    func perform(_ call: StoreCall) throws(StoreFailure) -> StoreResult {
        guard let asked = call.polled else { return .connected(try status()) }
        switch asked {
        case .read(let keys): return call.result(.values(try read(keys)))
        case .state: return .state(try status())
        case .write(let writes, let keys):
            var results: [WriteResult] = []
            for write in writes { results.append(try self.write(write)) }
            return call.result(.wrote(results, keys.isEmpty ? [] : try read(keys)))
        }
    }
}

extension WritePlan {
    fileprivate var write: StoreWrite {
        var version: StoredValue.Version?
        switch fresh {
        case .version(let known), .kept(let known): version = known
        case .absent, .nothing: break
        }
        let value = record.encoded()
        return StoreWrite(key: key, value: value, version: version, expirySeconds: expirySeconds, mark: mark)
    }
}
