import Glibc
import Support
import Testing

@testable import Limits

/// The stores that conform to the protocol.
enum StoreUnderTest: CaseIterable, Sendable {
    case memory
    case memcached
}

@Suite struct CounterStoreTests {
    private final class OpenStore {
        let connect: () throws -> any CounterConnection
        private let process: MemcachedProcess?

        init(_ kind: StoreUnderTest) throws {
            switch kind {
            case .memory:
                let store = MemoryCounters(seconds: { Glibc.time(nil) })
                process = nil
                connect = { store.connect(to: 0) }
            case .memcached:
                let memcached = try MemcachedProcess()
                let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
                process = memcached
                connect = { try store.connect(to: 0) }
            }
        }
    }

    @Test("adds once, reads with versions, swaps only what was read", arguments: StoreUnderTest.allCases)
    func threeCalls(kind: StoreUnderTest) throws {
        let store = try OpenStore(kind)
        let (one, other) = (try store.connect(), try store.connect())
        #expect(try one.read(["a", "b"]).allSatisfy { $0 == nil })
        #expect(try one.add("b", [1, 0, 255], expirySeconds: 60).isWritten)
        #expect(try other.add("b", [9], expirySeconds: 60) == .lost)
        let values = try other.read(["a", "b", "c"])
        #expect(values.map { $0?.bytes } == [nil, [1, 0, 255], nil])
        let version = try #require(values[1]?.version)
        #expect(try other.replace("b", [2], version: version, expirySeconds: 60).isWritten)
        #expect(try other.replace("b", [3], version: version, expirySeconds: 60) == .lost)
        #expect(try other.replace("a", [3], version: version, expirySeconds: 60) == .lost)
        #expect(try one.read(["b"])[0]?.bytes == [2])
        #expect(abs(try one.status().seconds - Glibc.time(nil)) <= 3)
    }

    @Test("a value keeps the mark of its write", arguments: StoreUnderTest.allCases)
    func marks(kind: StoreUnderTest) throws {
        let opened = try OpenStore(kind)
        let store = try opened.connect()
        func mark() throws -> UInt32? { try store.read(["a"])[0]?.mark }
        #expect(try store.add("a", [1], expirySeconds: 60).isWritten)
        #expect(try mark() == 0)
        let version = try #require(try store.read(["a"])[0]?.version)
        let write = StoreWrite(key: "a", value: [2], version: version, expirySeconds: 60, mark: 0xfedc_ba98)
        #expect(try store.write(write).isWritten)
        #expect(try mark() == 0xfedc_ba98)
        #expect(try store.write(write) == .lost)
    }

    @Test("reads hundreds at once, in order", arguments: StoreUnderTest.allCases)
    func manyKeys(kind: StoreUnderTest) throws {
        let connection = try OpenStore(kind)
        let store = try connection.connect()
        let keys = (0..<500).map { "relay:1:many.\($0)" }
        for (index, key) in keys.enumerated() where index % 3 != 0 {
            let value = [UInt8](repeating: UInt8(index % 251), count: index)
            #expect(try store.add(key, value, expirySeconds: 60).isWritten)
        }
        for _ in 0..<3 {
            for (index, value) in try store.read(keys).enumerated() {
                let expected = index % 3 == 0 ? nil : [UInt8](repeating: UInt8(index % 251), count: index)
                #expect(value?.bytes == expected)
            }
        }
    }

    @Test("an expiry beyond thirty days keeps the value", arguments: StoreUnderTest.allCases)
    func longExpiry(kind: StoreUnderTest) throws {
        let store = try OpenStore(kind)
        let connection = try store.connect()
        for days in [29, 30, 31, 732] {
            #expect(try connection.add("days.\(days)", [1], expirySeconds: days * 86_400).isWritten)
            #expect(try connection.read(["days.\(days)"])[0]?.bytes == [1])
        }
    }

    @Test("a value that is too large is refused alone", arguments: StoreUnderTest.allCases)
    func tooLarge(kind: StoreUnderTest) throws {
        let store = try OpenStore(kind)
        let connection = try store.connect()
        let result = try connection.add("large", [UInt8](repeating: 1, count: 100 << 20), expirySeconds: 60)
        guard case .refused = result else {
            Issue.record("\(result)")
            return
        }
    }
}

@Suite struct MemoryCountersTests {
    @Test("expired values are gone")
    func expires() throws {
        let clock = TestSeconds()
        let store = MemoryCounters(seconds: { clock.now })
        _ = try store.add("a", [1], expirySeconds: 10)
        clock.now += 9
        #expect(store.read(["a"])[0] != nil)
        clock.now += 1
        #expect(store.read(["a"])[0] == nil)
        #expect(store.byteCount == 0)
        #expect(try store.add("a", [2], expirySeconds: 10).isWritten)
    }

    @Test("stays within its bytes, and drops what was unused longest")
    func bounded() throws {
        let store = MemoryCounters(bytes: 100_000, seconds: { 1_800_000_000 })
        for index in 0..<2_000 {
            _ = try store.add("key.\(index)", [UInt8](repeating: 1, count: 50), expirySeconds: 100)
            _ = store.read(["key.0"])
            #expect(store.byteCount <= 100_000)
        }
        #expect(store.read(["key.0"])[0] != nil)
        #expect(store.read(["key.1"])[0] == nil)
        #expect(store.read(["key.1999"])[0] != nil)
    }
}

/// A clock in seconds.
///
/// `@unchecked`: used on one test's thread only.
final class TestSeconds: @unchecked Sendable {
    var now = 1_800_000_000
}

@Suite struct MemcachedCountersTests {
    @Test("a killed server fails calls, and a new connection works after its restart")
    func killed() throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000)
        let connection = try store.connect(to: 0)
        _ = try connection.add("a", [1], expirySeconds: 60)
        let version = try #require(try connection.read(["a"])[0]?.version)
        memcached.kill()
        #expect(throws: StoreFailure.self) { try connection.replace("a", [2], version: version, expirySeconds: 60) }
        #expect(throws: StoreFailure.self) { try store.connect(to: 0) }
        try memcached.start()
        let next = try store.connect(to: 0)
        #expect(try next.add("a", [3], expirySeconds: 60).isWritten)
        // Version numbers start again, so the old one may match. It must not be accepted.
        #expect(try next.replace("a", [4], version: version, expirySeconds: 60) == .lost)
        #expect(try next.read(["a"])[0]?.bytes == [3])
    }

    @Test("a server that does not answer fails reads and writes, and is never taken for empty")
    func paused() throws {
        let memcached = try MemcachedProcess()
        let store = try MemcachedCounters([memcached.address], timeoutMilliseconds: 50)
        let (one, other, third) = (try store.connect(to: 0), try store.connect(to: 0), try store.connect(to: 0))
        _ = try one.add("a", [1], expirySeconds: 60)
        let version = try #require(try one.read(["a"])[0]?.version)
        memcached.pause()
        #expect(throws: StoreFailure.self) { try one.replace("a", [2], version: version, expirySeconds: 60) }
        #expect(throws: StoreFailure.self) { try other.read(["a"]) }
        #expect(throws: StoreFailure.self) { try third.read(["x", "y", "z"]) }
        #expect(throws: StoreFailure.self) { try store.connect(to: 0) }
        memcached.resume()
        #expect(try store.connect(to: 0).read(["a"])[0] != nil)
    }

    @Test("a reply to another request is never taken for the value", arguments: StrangeReply.allCases)
    func outOfStep(result: StrangeReply) throws {
        let server = RawServer { socket, _ in serveBinary(socket, result) }
        let store = try MemcachedCounters(
            [MemcachedAddress(host: "127.0.0.1", port: server.port)],
            timeoutMilliseconds: 2_000
        )
        let connection = try store.connect(to: 0)
        #expect(try connection.read(["b"])[0]?.bytes == [5])
        #expect(throws: StoreFailure.self) { try connection.read(["b"]) }
    }

    @Test(
        "one value alone: absent, empty, of any byte, as long as memcached takes",
        arguments: [0, 1, 65_537, 1_000_000]
    )
    func alone(count: Int) throws {
        let memcached = try MemcachedProcess()
        let connection = try MemcachedCounters([memcached.address], timeoutMilliseconds: 2_000).connect(to: 0)
        #expect(try connection.read(["a"])[0] == nil)
        let value = (0..<count).map { UInt8($0 % 256) }
        #expect(try connection.add("a", value, expirySeconds: 60).isWritten)
        let found = try #require(try connection.read(["a"])[0])
        #expect(found.bytes == value)
        #expect(try connection.replace("a", [1], version: found.version, expirySeconds: 60).isWritten)
        #expect(try connection.read(["a"])[0]?.bytes == [1])
        #expect(try connection.read(["b"])[0] == nil)
    }

    @Test("every key has one server of the ring, the same in any process")
    func ring() throws {
        let addresses = (0..<4).map { MemcachedAddress(host: "cache-\($0)", port: 11_211) }
        let one = try MemcachedCounters(addresses, timeoutMilliseconds: 50)
        let other = try MemcachedCounters(addresses, timeoutMilliseconds: 50)
        let fewer = try MemcachedCounters(Array(addresses.dropLast()), timeoutMilliseconds: 50)
        var counts = [0, 0, 0, 0]
        var moved = 0
        for index in 0..<2_000 {
            let server = one.server(of: "relay:1:\(index)")
            #expect(other.server(of: "relay:1:\(index)") == server)
            if server != 3, fewer.server(of: "relay:1:\(index)") != server { moved += 1 }
            counts[server] += 1
        }
        #expect(counts.allSatisfy { $0 > 300 })
        #expect(moved == 0, "a server more takes keys from the others, and moves none between them")
    }

    @Test(
        "addresses",
        arguments: [
            ("127.0.0.1:11212", "127.0.0.1:11212"), ("cache", "cache:11211"), ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:11211"), ("", nil), ("a:", nil), ("a:0", nil), ("a:65536", nil), ("a b:1", nil),
            ("::1", nil), ("tcp://a:1", nil), ("[::1]5", nil), ("[::1]:", nil),
        ] as [(String, String?)]
    )
    func addresses(text: String, shown: String?) {
        #expect(MemcachedAddress(text)?.text == shown)
    }
}

/// The response of a server in place of the requested value.
enum StrangeReply: CaseIterable, Sendable {
    case otherTag
    case noVersion
    case replyToWrite
    case twice
    case noAnswer
    case longerThanItself
}

/// Serves memcached's binary protocol as far as a connection and reads of `b` need it. The first read gets its value.
private func serveBinary(_ socket: Socket, _ result: StrangeReply) {
    var hasAnswered = false
    var rest: [UInt8] = []
    while case .bytes(let bytes) = socket.receive() {
        rest += bytes
        while rest.count >= 24, rest.count >= 24 + Int(rest[10]) << 8 + Int(rest[11]) {
            let (opcode, tag) = (rest[1], Array(rest[12..<16]))
            rest.removeFirst(24 + Int(rest[10]) << 8 + Int(rest[11]))
            switch opcode {
            case 0x10:
                socket.send(binaryReply(opcode, tag, key: "time", value: Array("1800000000".utf8), version: 0))
                socket.send(binaryReply(opcode, tag, version: 0))
            case 0x00:
                let flags: [UInt8] = [0, 0, 0, 0]
                switch hasAnswered ? result : nil {
                case nil: socket.send(binaryReply(opcode, tag, extras: flags, value: [5], version: 7))
                case .otherTag:
                    socket.send(binaryReply(opcode, tag.map { $0 &+ 1 }, extras: flags, value: [5], version: 7))
                case .noVersion: socket.send(binaryReply(opcode, tag, extras: flags, value: [5], version: 0))
                case .replyToWrite: socket.send(binaryReply(0x03, tag, version: 8))
                case .twice:
                    let response = binaryReply(opcode, tag, extras: flags, value: [5], version: 7)
                    socket.send(response + response)
                case .noAnswer: socket.send([UInt8](repeating: 0, count: 24))
                case .longerThanItself: socket.send(binaryReply(opcode, tag, key: "b", version: 7, bodyCount: 0))
                }
                hasAnswered = true
            default: return
            }
        }
    }
}

private func binaryReply(
    _ opcode: UInt8,
    _ tag: [UInt8],
    extras: [UInt8] = [],
    key: String = "",
    value: [UInt8] = [],
    version: UInt8,
    bodyCount: Int? = nil
) -> [UInt8] {
    let body = extras + Array(key.utf8) + value
    let head: [UInt8] = [
        0x81, opcode, 0, UInt8(key.utf8.count), UInt8(extras.count), 0, 0, 0, 0, 0, 0,
        UInt8(bodyCount ?? body.count),
    ]
    return head + tag + [0, 0, 0, 0, 0, 0, 0, version] + body
}
