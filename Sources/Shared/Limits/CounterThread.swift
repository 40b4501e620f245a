import Engine
import Glibc

/// A lane's thread: blocks in calls to its server, so that no event loop has to.
///
/// `@unchecked`: what changes is the thread's own.
final class CounterThread: @unchecked Sendable {
    private let ledger: Lock<Ledger>
    private let lane: Int
    private let server: Int
    private let isFirst: Bool
    private let store: any CounterStore
    private let clock: LimitClock
    private let timeoutMicroseconds: Int
    private let courier: Courier
    private var connection: (any CounterConnection)?
    private var connectionEpoch = -1
    private var thread = pthread_t()

    init(
        _ ledger: Lock<Ledger>,
        lane: Int,
        server: Int,
        isFirst: Bool,
        store: any CounterStore,
        clock: LimitClock,
        timeoutMicroseconds: Int,
        courier: Courier
    ) {
        self.ledger = ledger
        self.lane = lane
        self.server = server
        self.isFirst = isFirst
        self.store = store
        self.clock = clock
        self.timeoutMicroseconds = timeoutMicroseconds
        self.courier = courier
    }

    func start() {
        let code = pthread_create(&thread, nil, runCounterThread, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "no thread for counters")
    }

    func join() { pthread_join(thread, nil) }

    fileprivate func run() {
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        if isFirst {  // so that an unreachable store is known before the first request
            do throws(StoreFailure) {
                _ = try connection(0)
            } catch {
                tell { $0.fail(server, epoch: 0, error.reason, at: $1) }
            }
        }
        while true {
            switch tell({ $0.next(lane, at: $1) }) {
            case .stop: return
            case .wait(let until): courier.parkings[lane].wait(untilMicroseconds: until)
            case .probe: probe()
            case .serve(let accounts, let epoch):
                do throws(StoreFailure) {
                    try serve(accounts, epoch)
                } catch {
                    connection = nil
                    tell { $0.fail(server, epoch: epoch, error.reason, at: $1) }
                }
                tell { ledger, _ in for account in accounts { ledger.release(account, epoch: epoch) } }
            }
        }
    }

    private func serve(_ accounts: [Account], _ epoch: Int) throws(StoreFailure) {
        let unread = tell { _, _ in accounts.filter(\.needsRead) }
        if !unread.isEmpty {
            let values = try read(unread.map(\.storeKey), epoch)
            let connection = try connection(epoch)
            var found: [Ledger.Found] = []
            for (account, value) in zip(unread, values) { found.append(try decode(value, account, connection)) }
            tell { ledger, now in
                ledger.metrics.reads += 1
                ledger.metrics.readRecords += unread.count
                for (account, found) in zip(unread, found) { ledger.absorb(found, account, epoch: epoch, at: now) }
            }
        }
        for account in accounts {
            guard let plan = tell({ $0.plan(account, epoch: epoch, at: $1) }) else { continue }
            let bytes = plan.record.encoded()
            let expiry = account.limit.recordExpirySeconds
            let connection = try connection(epoch)
            let result = try call { () throws(StoreFailure) in
                switch plan.fresh {
                case .version(let version):
                    try connection.replace(account.storeKey, bytes, version: version, expirySeconds: expiry)
                case .absent: try connection.add(account.storeKey, bytes, expirySeconds: expiry)
                case .nothing: WriteResult.lost
                }
            }
            tell { $0.wrote(plan, account, result, at: $1) }
        }
    }

    /// A kept connection may have been closed while it was idle: that is seen at once, and tried again with a new one.
    private func read(_ keys: [String], _ epoch: Int) throws(StoreFailure) -> [StoredValue?] {
        let isKept = connection != nil && connectionEpoch == epoch
        let opened = try connection(epoch)
        let begun = clock.now().steady
        do throws(StoreFailure) {
            return try call { () throws(StoreFailure) in try opened.read(keys) }
        } catch {
            guard isKept, clock.now().steady - begun < timeoutMicroseconds / 2 else { throw error }
            connection = nil
            let anew = try connection(epoch)
            return try call { () throws(StoreFailure) in try anew.read(keys) }
        }
    }

    private func decode(
        _ value: StoredValue?,
        _ account: Account,
        _ connection: any CounterConnection
    ) throws(StoreFailure) -> Ledger.Found {
        guard let value else { return .absent }
        let record: Record
        do throws(Record.Flaw) {
            record = try Record(value.bytes, account.limit.grid)
        } catch {
            return .broken(value.version, reason: error.rawValue)
        }
        if record.isTooFarAhead(of: clock.now().wall) {
            // The store's seconds may be late by one and a half.
            let storeTime = try call { () throws(StoreFailure) in try connection.time() } * 1_000_000 + 1_500_000
            if record.isTooFarAhead(of: storeTime) { return .broken(value.version, reason: "time") }
        }
        return .record(record, value.version)
    }

    /// What was read before a failure of the server, on any of its lanes, is not used after it.
    private func connection(_ epoch: Int) throws(StoreFailure) -> any CounterConnection {
        if let connection, connectionEpoch == epoch { return connection }
        connection = nil
        let opened = try call { () throws(StoreFailure) in try store.connect(to: server) }
        connection = opened
        connectionEpoch = epoch
        return opened
    }

    private func probe() {
        connection = nil
        let isBack = (try? store.connect(to: server)) != nil
        tell { ledger, now in
            ledger.metrics.probes += 1
            if isBack { ledger.restore(server, at: now) } else { ledger.probeFailed(server, at: now) }
        }
    }

    private func call<Result>(_ body: () throws(StoreFailure) -> Result) throws(StoreFailure) -> Result {
        ledger.withLock { $0.lanes[lane].callSince = clock.now().steady }
        defer { ledger.withLock { $0.lanes[lane].callSince = nil } }
        return try body()
    }

    @discardableResult
    private func tell<Result>(_ body: (inout Ledger, Moment) -> Result) -> Result {
        var outbox = Outbox()
        let result = ledger.withLock { ledger in
            let result = body(&ledger, clock.now())
            swap(&ledger.outbox, &outbox)
            return result
        }
        courier.deliver(outbox)
        return result
    }
}

private func runCounterThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context { Unmanaged<CounterThread>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}

extension Limit {
    /// Two windows, at least ten seconds.
    var recordExpirySeconds: Int { max(10, 2 * quota.windowSeconds) }
}
