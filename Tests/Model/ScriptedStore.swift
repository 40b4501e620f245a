@testable import Limits

/// A memcached server as its clients see it, which does what the search chooses.
struct ScriptedStore {
    struct Item {
        let record: StoredRecord
        let version: UInt64
        let mark: UInt32
    }

    let fault: Fault?
    private(set) var items: [String: Item] = [:]
    private var lastVersion: UInt64 = 0

    init(fault: Fault?) { self.fault = fault }

    /// The versions of the current records.
    var versions: Set<UInt64> { Set(items.values.map(\.version)) }

    mutating func lose(_ key: String) { items[key] = nil }

    mutating func perform(_ call: StoreCall, connection: UInt64, seconds: Int) -> StoreResult {
        switch call {
        case .connect: return .connected(StoreState(seconds: seconds))
        case .state: return .state(StoreState(seconds: seconds))
        case .read(let accounts): return .found(accounts.map { found($0, connection) })
        case .write(let plans, let accounts):
            let results = plans.map { write($0, connection: connection) }
            return .wrote(results, accounts.map { found($0, connection) })
        }
    }

    private func found(_ account: Account, _ connection: UInt64) -> FoundRecord {
        guard let item = items[account.storeKey] else { return .absent }
        return .record(item.record, .init(number: item.version, connection: connection), mark: item.mark)
    }

    /// Returns whether the write would be carried out.
    func takes(_ plan: WritePlan) -> Bool {
        let item = items[plan.key]
        switch plan.fresh {
        case .nothing: return false
        case .absent: return item == nil || fault == .plainWrite
        case .version(let version), .kept(let version):
            return item.map { $0.version == version.number || fault == .plainWrite } ?? false
        }
    }

    mutating func write(_ plan: WritePlan, connection: UInt64) -> WriteResult {
        guard takes(plan) else { return .lost }
        lastVersion += 1
        items[plan.key] = Item(record: plan.record, version: lastVersion, mark: plan.mark)
        return .written(StoredValue.Version(number: lastVersion, connection: connection))
    }
}
