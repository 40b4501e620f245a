import Engine
import Limits
import Support
import Testing

@testable import Shared

extension MemcachedProcess {
    fileprivate var address: MemcachedAddress { MemcachedAddress(host: "127.0.0.1", port: port) }
}

/// Tests over the store in the process and over memcached.
@Suite(.timeLimit(.minutes(3))) struct FileStoreTests {
    enum Kind: String, CaseIterable, Sendable {
        case memory
        case memcached
    }

    /// A store with the process that it runs on.
    private struct TemporaryFolder {
        let store: any CounterStore
        let process: MemcachedProcess?

        init(_ kind: Kind) throws {
            process = kind == .memcached ? try MemcachedProcess() : nil
            store =
                if let process {
                    try MemcachedCounters([process.address], timeoutMilliseconds: 60_000)
                } else {
                    MemoryCounters { 1_790_000_000 }
                }
        }

        func state(timeoutMilliseconds: Int = 2_000) -> SharedState {
            SharedState(store, timeoutMilliseconds: timeoutMilliseconds)
        }
    }

    private let now = 1_790_000_100

    private func file(_ number: Int) -> StoredFile { FileOwnerTests.file("\(number).txt") }

    @Test("what one instance adds, another lists, newest first, and only for its owner", arguments: Kind.allCases)
    func lists(kind: Kind) async throws {
        let folder = try TemporaryFolder(kind)
        let (one, other) = (folder.state(), folder.state())
        let (owner, stranger) = (try FileOwnerTests.owner("one"), try FileOwnerTests.owner("two"))
        let ids = (0..<3).compactMap { owner.id(of: file($0)) }
        try await result { loop in for id in ids { try await FileStore(one).add(id, of: owner, on: loop) } }
        try await result { loop in try await FileStore(one).add(ids[0], of: owner, on: loop) }
        let listed = try await result { [now] loop in try await FileStore(other).files(of: owner, at: now, on: loop) }
        #expect(listed.map(\.id) == ids.reversed() && listed.map(\.file.name) == ["2.txt", "1.txt", "0.txt"])
        let none = try await result { [now] loop in try await FileStore(other).files(of: stranger, at: now, on: loop) }
        #expect(none.isEmpty)
        let late = try await result { loop in
            try await FileStore(other).files(of: owner, at: 1_790_003_600, on: loop)
        }
        #expect(late.isEmpty, "expired")
        one.stop()
        other.stop()
    }

    @Test("deleted is deleted for all instances, once", arguments: Kind.allCases)
    func deletes(kind: Kind) async throws {
        let folder = try TemporaryFolder(kind)
        let (one, other) = (folder.state(), folder.state())
        let owner = try FileOwnerTests.owner("one")
        let ids = (0..<2).compactMap { owner.id(of: file($0)) }
        let text = ids[0].text
        try await result { loop in for id in ids { try await FileStore(one).add(id, of: owner, on: loop) } }
        let responses = try await result { [now] loop in
            let before = try await FileStore(other).file(text, of: owner, at: now, on: loop)
            let first = try await FileStore(one).delete(ids[0], of: owner, on: loop)
            let second = try await FileStore(other).delete(ids[0], of: owner, on: loop)
            let after = try await FileStore(other).file(text, of: owner, at: now, on: loop)
            let kept = try await FileStore(other).file(ids[1].text, of: owner, at: now, on: loop)
            return [before != nil, first, second, after != nil, kept != nil]
        }
        #expect(responses == [true, true, false, false, true])
        let left = try await result { [now] loop in try await FileStore(other).files(of: owner, at: now, on: loop) }
        #expect(left.map(\.id) == [ids[1]])
        one.stop()
        other.stop()
    }

    @Test("instances that add at the same moment lose nothing", arguments: Kind.allCases)
    func adds(kind: Kind) async throws {
        let folder = try TemporaryFolder(kind)
        let meeting = MeetingStore(folder.store, members: 4)
        // The clocks stand still, so no wait ends by its time.
        let clock = ManualClock()
        let states = (0..<4).map { _ in SharedState(meeting, timeoutMilliseconds: 2_000) }
        let owner = try FileOwnerTests.owner("one")
        let ids = (0..<40).compactMap { owner.id(of: file($0)) }
        for moment in 0..<10 {
            meeting.begin()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, state) in states.enumerated() {
                    let id = ids[moment * 4 + number]
                    group.addTask {
                        try await result(clock.loop()) { loop in try await FileStore(state).add(id, of: owner, on: loop)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let listed = try await result(clock.loop()) { [now] loop in
            try await FileStore(states[0]).files(of: owner, at: now, on: loop)
        }
        #expect(Set(listed.map(\.id)) == Set(ids))
        #expect(meeting.lostWrites >= 10 * 3, "all had read before the first wrote")
        for state in states { state.stop() }
    }

    @Test("a full list drops its oldest, which still open", arguments: Kind.allCases)
    func full(kind: Kind) async throws {
        let folder = try TemporaryFolder(kind)
        let state = folder.state()
        let owner = try FileOwnerTests.owner("one")
        let ids = (0..<400).compactMap { owner.id(of: file($0)) }
        let listed = try await result { [now] loop in
            for id in ids { try await FileStore(state).add(id, of: owner, on: loop) }
            return try await FileStore(state).files(of: owner, at: now, on: loop)
        }
        #expect((200..<400).contains(listed.count))
        #expect(listed.map(\.id) == Array(ids.reversed().prefix(listed.count)))
        let oldest = try await result { [now] loop in
            try await FileStore(state).file(ids[0].text, of: owner, at: now, on: loop)
        }
        #expect(oldest?.file.name == "0.txt")
        state.stop()
    }

    @Test("a record that is not readable is replaced")
    func broken() async throws {
        let folder = try TemporaryFolder(.memory)
        let state = folder.state()
        let owner = try FileOwnerTests.owner("one")
        let id = try #require(owner.id(of: file(1)))
        let key = "relay:1:files:\(owner.identity.digest.base64url(characters: 22))"
        for bytes in [[], [9], [1, 5], [1, 255, 255, 1], [1, 0, 0]] as [[UInt8]] {
            let listed = try await result { [now] loop in
                try await state.update(key, expirySeconds: 100, on: loop) { _ in .init(bytes, ()) }
                let before = try await FileStore(state).files(of: owner, at: now, on: loop)
                try await FileStore(state).add(id, of: owner, on: loop)
                return (before.count, try await FileStore(state).files(of: owner, at: now, on: loop).map(\.id))
            }
            #expect(listed.0 == 0 && listed.1 == [id])
        }
        state.stop()
    }

    @Test("a store that does not answer, or is gone, is a failure in time, and of use again when it is back")
    func away() async throws {
        let folder = try TemporaryFolder(.memcached)
        let process = try #require(folder.process)
        let patient = folder.state(timeoutMilliseconds: 10_000)
        let store = try MemcachedCounters([process.address], timeoutMilliseconds: 100)
        let state = SharedState(store, timeoutMilliseconds: 100)
        let owner = try FileOwnerTests.owner("one")
        let id = try #require(owner.id(of: file(1)))
        try await result { loop in try await FileStore(patient).add(id, of: owner, on: loop) }
        patient.stop()
        process.pause()
        await #expect(throws: StoreFailure.self) {
            try await result { loop in try await FileStore(state).add(id, of: owner, on: loop) }
        }
        process.resume()
        process.kill()
        for _ in 0..<3 {
            await #expect(throws: StoreFailure.self) {
                try await result { [now] loop in try await FileStore(state).files(of: owner, at: now, on: loop) }
            }
        }
        try process.start()
        let listed = try await result { [now] loop in
            while true {  // until the pause after a failure is over
                do {
                    try await FileStore(state).add(id, of: owner, on: loop)
                    return try await FileStore(state).files(of: owner, at: now, on: loop)
                } catch { await loop.sleep(nanoseconds: 50_000_000) }
            }
        }
        #expect(listed.map(\.id) == [id])
        state.stop()
    }

    @Test("neither keys nor values show a token, a path or a name")
    func secrets() async throws {
        let store = MemoryCounters { 1_790_000_000 }
        let recorder = Recorder(store)
        let state = SharedState(recorder, timeoutMilliseconds: 2_000)
        let owner = try FileOwnerTests.owner("token-of-a-caller")
        let id = try #require(owner.id(of: FileOwnerTests.file("salaries.txt")))
        _ = try await result { loop in
            try await FileStore(state).add(id, of: owner, on: loop)
            return try await FileStore(state).delete(id, of: owner, on: loop)
        }
        let written = recorder.written.withLock { $0 }
        #expect(written.count == 3)
        for text in written {
            for secret in ["token-of-a-caller", "salaries", "documents/", String(id.text.dropFirst(5).prefix(12))] {
                #expect(!text.contains(secret))
            }
        }
        state.stop()
    }
}

/// A store that records what is written.
private final class Recorder: CounterStore, CounterConnection {
    let written = Lock<[String]>([])
    private let store: MemoryCounters

    init(_ store: MemoryCounters) { self.store = store }

    var servers: [String] { store.servers }
    func server(of key: String) -> Int { 0 }
    func connect(to server: Int) -> any CounterConnection { self }
    func read(_ keys: [String]) -> [StoredValue?] { store.read(keys) }
    func status() -> StoreState { store.status() }

    func write(_ write: StoreWrite) -> WriteResult {
        written.withLock { $0.append("\(write.key) \(String(decoding: write.value, as: UTF8.self))") }
        return store.write(write)
    }
}

/// A store in which, once in each period that begins, all members have read before anybody writes.
private final class MeetingStore: CounterStore {
    private struct State {
        var waiting = 0
        var gate = Gate()
        var lost = 0
    }

    private let store: any CounterStore
    private let members: Int
    private let state = Lock(State())

    init(_ store: any CounterStore, members: Int) {
        self.store = store
        self.members = members
        state.withLock { $0.gate.open() }
    }

    var lostWrites: Int { state.withLock { $0.lost } }
    var servers: [String] { store.servers }
    func server(of key: String) -> Int { store.server(of: key) }

    func connect(to server: Int) throws(StoreFailure) -> any CounterConnection {
        Member(meeting: self, try store.connect(to: server))
    }

    func begin() {
        state.withLock { state in
            state.waiting = 0
            state.gate = Gate()
        }
    }

    fileprivate func meet() {
        let gate = state.withLock { state in
            state.waiting += 1
            if state.waiting == members { state.gate.open() }
            return state.gate
        }
        gate.wait()
    }

    fileprivate func noted(_ result: WriteResult) -> WriteResult {
        if case .lost = result { state.withLock { $0.lost += 1 } }
        return result
    }

    private final class Member: CounterConnection {
        private let meeting: MeetingStore
        private let connection: any CounterConnection

        init(meeting: MeetingStore, _ connection: any CounterConnection) {
            self.meeting = meeting
            self.connection = connection
        }

        func status() throws(StoreFailure) -> StoreState { try connection.status() }

        func read(_ keys: [String]) throws(StoreFailure) -> [StoredValue?] {
            let values = try connection.read(keys)
            meeting.meet()
            return values
        }

        func write(_ write: StoreWrite) throws(StoreFailure) -> WriteResult {
            meeting.noted(try connection.write(write))
        }
    }
}

/// Returns the result of `body` on its own loop.
private func result<Value: Sendable>(
    _ loop: EventLoop = EventLoop(),
    _ body: @escaping @Sendable (EventLoop) async throws -> Value
) async throws -> Value {
    let result: Result<Value, any Error> = await onLoop(loop) { loop in
        do { return .success(try await body(loop)) } catch { return .failure(error) }
    }
    return try result.get()
}
