package import Engine

/// Small records that all instances share, for tasks on loops: the store's calls block, so a thread makes them. What is
/// kept here may be lost at any time.
///
/// A wait for it ends after the store's time-out. What was asked for may be done later all the same.
package final class SharedState: Sendable {
    private let thread = Worker(bound: 1_024)
    private let link: StoreLink
    private let timeoutNanoseconds: UInt64

    package init(_ store: any CounterStore, timeoutMilliseconds: Int) {
        timeoutNanoseconds = UInt64(max(1, timeoutMilliseconds)) * 1_000_000
        link = StoreLink(store, timeoutNanoseconds: timeoutNanoseconds)
    }

    package func stop() { thread.stop() }

    /// A change of a record, and its result.
    package struct Change<Outcome: Sendable>: Sendable {
        /// Nil: the record stays as it is.
        package let value: [UInt8]?
        package let outcome: Outcome

        package init(_ value: [UInt8]?, _ outcome: Outcome) {
            self.value = value
            self.outcome = outcome
        }
    }

    /// Nil: there is none.
    package func read(_ key: String, on loop: EventLoop) async throws(StoreFailure) -> [UInt8]? {
        try await run(on: loop) { link throws(StoreFailure) in try link.read(key).0?.bytes }
    }

    /// `change` is called again with what others wrote meanwhile, until nobody did: it should be quick, and add nothing
    /// twice.
    package func update<Outcome: Sendable>(
        _ key: String,
        expirySeconds: Int,
        on loop: EventLoop,
        _ change: @escaping @Sendable ([UInt8]?) -> Change<Outcome>
    ) async throws(StoreFailure) -> Outcome {
        try await run(on: loop) { link throws(StoreFailure) in
            try link.update(key, expirySeconds: expirySeconds, change)
        }
    }

    /// Writes records over what is there, in turn with all else that is asked for here. Nobody waits for it, and whether
    /// it could be done is not told.
    package func put(_ records: [(key: String, value: [UInt8])], expirySeconds: Int) {
        thread.begin { [link] in
            for record in records {
                let isDone = try? link.update(record.key, expirySeconds: expirySeconds) { _ in
                    Change(record.value, true)
                }
                guard isDone ?? false else { return }
            }
        }
    }

    /// The same, of one record, which the thread makes.
    package func put(_ key: String, expirySeconds: Int, _ value: @escaping @Sendable () -> [UInt8]) {
        thread.begin { [link] in
            let made = value()
            _ = try? link.update(key, expirySeconds: expirySeconds) { _ in Change(made, true) }
        }
    }

    private func run<Outcome: Sendable>(
        on loop: EventLoop,
        _ work: @escaping @Sendable (StoreLink) throws(StoreFailure) -> Outcome
    ) async throws(StoreFailure) -> Outcome {
        let result: Result<Outcome, StoreFailure>? = await thread.result(
            on: loop,
            withinNanoseconds: timeoutNanoseconds
        ) { [link] in
            do throws(StoreFailure) { return .success(try work(link)) } catch { return .failure(error) }
        }
        guard let result else { throw StoreFailure(reason: "no answer in time") }
        return try result.get()
    }
}

/// The thread's connections.
///
/// `@unchecked`: only that thread uses it.
private final class StoreLink: @unchecked Sendable {
    private let store: any CounterStore
    private let timeoutNanoseconds: UInt64
    private var connections: [Int: any CounterConnection] = [:]
    /// After a failure nobody waits for that server until then.
    private var awayUntil: [Int: LoopTime] = [:]
    private static let restNanoseconds: UInt64 = 1_000_000_000
    private static let tries = 16

    init(_ store: any CounterStore, timeoutNanoseconds: UInt64) {
        self.store = store
        self.timeoutNanoseconds = timeoutNanoseconds
    }

    func update<Outcome>(
        _ key: String,
        expirySeconds: Int,
        _ change: ([UInt8]?) -> SharedState.Change<Outcome>
    ) throws(StoreFailure) -> Outcome {
        for _ in 0..<Self.tries {
            let (found, connection) = try read(key)
            let change = change(found?.bytes)
            guard let value = change.value else { return change.outcome }
            let result: WriteResult
            do throws(StoreFailure) {
                result =
                    if let found {
                        try connection.replace(key, value, version: found.version, expirySeconds: expirySeconds)
                    } else {
                        try connection.add(key, value, expirySeconds: expirySeconds)
                    }
            } catch {
                failed(store.server(of: key))
                throw error
            }
            switch result {
            case .written: return change.outcome
            case .lost: continue
            case .refused(let reason): throw StoreFailure(reason: reason)
            }
        }
        throw StoreFailure(reason: "other instances write it all the time")
    }

    /// A kept connection may have been closed while it was idle: that is seen at once, and tried again with a new one.
    func read(_ key: String) throws(StoreFailure) -> (StoredValue?, any CounterConnection) {
        let server = store.server(of: key)
        let begun = LoopTime.current()
        if let until = awayUntil[server], begun < until { throw StoreFailure(reason: "it was away just now") }
        if let kept = connections[server] {
            do throws(StoreFailure) {
                return (try kept.read([key]).first ?? nil, kept)
            } catch {
                connections[server] = nil
                if LoopTime.current().nanoseconds(since: begun) > timeoutNanoseconds / 2 {
                    failed(server)
                    throw error
                }
            }
        }
        do throws(StoreFailure) {
            let opened = try store.connect(to: server)
            connections[server] = opened
            return (try opened.read([key]).first ?? nil, opened)
        } catch {
            failed(server)
            throw error
        }
    }

    private func failed(_ server: Int) {
        connections[server] = nil
        awayUntil[server] = LoopTime.current() + Self.restNanoseconds
    }
}
