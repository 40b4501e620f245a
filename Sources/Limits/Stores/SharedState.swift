package import Engine

/// Small records that all instances share, for code on event loops. The store can lose records at any time.
///
/// A call waits at most for the store's time-out. A change can still reach the store after its call has timed out.
/// Calls reach the store in the order in which they were requested.
package final class SharedState: Sendable {
    private let thread = Worker(bound: 1_024)
    private let link: StoreLink
    private let timeoutNanoseconds: UInt64

    package init(_ store: any CounterStore, timeoutMilliseconds: Int) {
        timeoutNanoseconds = UInt64(max(1, timeoutMilliseconds)) * 1_000_000
        link = StoreLink(store, timeoutNanoseconds: timeoutNanoseconds)
    }

    package func stop() { thread.stop() }

    /// A change of a record, and the outcome that `update` returns.
    package struct Change<Outcome: Sendable>: Sendable {
        /// The new value of the record; nil leaves the record unchanged.
        package let value: [UInt8]?
        package let outcome: Outcome

        package init(_ value: [UInt8]?, _ outcome: Outcome) {
            self.value = value
            self.outcome = outcome
        }
    }

    /// Returns the value of a record; nil if there is no such record.
    package func read(_ key: String, on loop: EventLoop) async throws(StoreFailure) -> [UInt8]? {
        try await run(on: loop) { link throws(StoreFailure) in try link.read(key).0?.bytes }
    }

    /// Changes a record and returns the outcome of `change`. `change` runs on the thread that calls the store, possibly
    /// several times, so it should be quick and free of side effects.
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

    /// Writes records without waiting. Existing records are overwritten, and failures are not reported.
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

    /// Writes one record without waiting. `value` is called on the thread that calls the store.
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
        guard let result else { throw StoreFailure(reason: "no response in time") }
        return try result.get()
    }
}

/// The connections that the thread of a `SharedState` uses.
///
/// `@unchecked`: only this thread uses the object.
private final class StoreLink: @unchecked Sendable {
    private let store: any CounterStore
    private let timeoutNanoseconds: UInt64
    private var connections: [Int: any CounterConnection] = [:]
    /// The time until which a failed server is not tried again, for the index of each such server.
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
                result = try connection.write(
                    StoreWrite(key: key, value: value, version: found?.version, expirySeconds: expirySeconds)
                )
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
        throw StoreFailure(reason: "other instances keep changing the record")
    }

    /// Reads a record. Returns the record's value and the connection that was used.
    func read(_ key: String) throws(StoreFailure) -> (StoredValue?, any CounterConnection) {
        let server = store.server(of: key)
        let begun = LoopTime.current()
        if let until = awayUntil[server], begun < until {
            throw StoreFailure(reason: "memcached was unavailable a moment ago")
        }
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
