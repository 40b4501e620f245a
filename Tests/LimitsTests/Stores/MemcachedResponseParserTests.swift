import Testing

@testable import Limits

/// Tests of responses in memcached's binary protocol, cut anywhere and altered anywhere.
@Suite struct MemcachedResponseParserTests {
    private static let tag: UInt32 = 0xffff_ffff  // the next one is 0

    private static func message(
        _ opcode: UInt8,
        tag index: Int = 0,
        status: UInt16 = 0,
        extras: Int = 0,
        key: String = "",
        _ value: [UInt8] = [],
        version: UInt8 = 0
    ) -> [UInt8] {
        let tag = tag &+ UInt32(index)
        let body = extras + key.utf8.count + value.count
        return [0x81, opcode, 0, UInt8(key.utf8.count), UInt8(extras), 0, UInt8(status >> 8), UInt8(status & 255)]
            + (0..<4).map { UInt8(truncatingIfNeeded: body >> (24 - 8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: tag >> (24 - 8 * $0)) }
            + [0, 0, 0, 0, 0, 0, 0, version] + [UInt8](repeating: 9, count: extras) + key.utf8 + value
    }

    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let request: MemcachedRequest
        let bytes: [UInt8]
        /// The contents: values with version, results of writes, or the clock's seconds.
        let said: String
    }

    private static let writes = [
        MemcachedRequest.Write("a", [1], number: 3, expiry: 10), .init("b", [2], number: 0, expiry: 10),
    ]

    static let cases = [
        Case(
            description: "one value",
            request: .read(["a"]),
            bytes: message(0, extras: 4, [5, 6], version: 7),
            said: "[5, 6] 7"
        ),
        Case(description: "no value", request: .read(["a"]), bytes: message(0, status: 1, [1, 2, 3]), said: "-"),
        Case(
            description: "an empty value with its key",
            request: .read(["a"]),
            bytes: message(0, extras: 4, key: "a", version: 7),
            said: "[] 7"
        ),
        Case(
            description: "some of several values",
            request: .read(["a", "b", "c", "d"]),
            bytes: message(9, tag: 1, extras: 4, [1], version: 1) + message(9, tag: 3, extras: 4, version: 2)
                + message(10, tag: 4),
            said: "- [1] 1 - [] 2"
        ),
        Case(description: "none of several", request: .read(["a", "b"]), bytes: message(10, tag: 2), said: "- -"),
        Case(
            description: "writes",
            request: .write(writes, thenRead: []),
            bytes: message(1, status: 2, [88]) + message(2, tag: 1, version: 9),
            said: "lost written as 9"
        ),
        Case(
            description: "writes, and values after them",
            request: .write(writes, thenRead: ["a", "b", "c"]),
            bytes: message(1, status: 2, [88]) + message(2, tag: 1, version: 9)
                + message(0, tag: 2, extras: 4, [5, 6], version: 8) + message(0, tag: 3, status: 1, [1])
                + message(0, tag: 4, extras: 4, version: 3),
            said: "lost written as 9 [5, 6] 8 - [] 3"
        ),
        Case(
            description: "refused writes",
            request: .write(writes, thenRead: []),
            bytes: message(1, status: 0x82) + message(2, tag: 1, status: 3),
            said: "refused(reason: \"out of memory\") refused(reason: \"the record is too large for memcached\")"
        ),
        Case(
            description: "the clock",
            request: .state,
            bytes: message(16, key: "pid", [49]) + message(16, key: "time", [50, 51]) + message(16),
            said: "23 []"
        ),
        Case(
            description: "the clock and the life of a server",
            request: .state,
            bytes: message(16, key: "pid", [55]) + message(16, key: "uptime", [51])
                + message(16, key: "time", [50, 51])
                + message(16, key: "cmd_flush", [50]) + message(16),
            said: "23 [20, 7, 2]"
        ),
    ]

    private static func said(_ response: PolledResult) -> String {
        switch response {
        case .values(let values):
            values.map(said).joined(separator: " ")
        case .wrote(let results, let values):
            (results.map(said) + values.map(said)).joined(separator: " ")
        case .state(let state): "\(state.seconds) \(state.life)"
        }
    }

    private static func said(_ value: StoredValue?) -> String {
        value.map { "\($0.bytes) \($0.version.number)" } ?? "-"
    }

    private static func said(_ result: WriteResult) -> String {
        if case .written(let version) = result { "written as \(version.number)" } else { "\(result)" }
    }

    private static func said(_ request: MemcachedRequest, _ pieces: [ArraySlice<UInt8>]) throws -> String? {
        var response = MemcachedResponseParser(to: request, firstTag: tag, connection: 1)
        var ended: PolledResult?
        for piece in pieces where !piece.isEmpty {
            #expect(ended == nil, "not before its end")
            ended = try piece.withUnsafeBytes { try response.consume($0) }
        }
        return ended.map(said)
    }

    @Test("is the same however it is cut", arguments: cases)
    func cut(one: Case) throws {
        #expect(try Self.said(one.request, [one.bytes[...]]) == one.said)
        for offset in one.bytes.indices {
            #expect(try Self.said(one.request, [one.bytes[..<offset], one.bytes[offset...]]) == one.said)
            #expect(try Self.said(one.request, [one.bytes[..<offset]]) == nil)
        }
        #expect(try Self.said(one.request, one.bytes.indices.map { one.bytes[$0...$0] }) == one.said)
    }

    @Test("bytes after its end are an error", arguments: cases)
    func longer(one: Case) {
        #expect(throws: StoreFailure.self) { try Self.said(one.request, [(one.bytes + [0])[...]]) }
        #expect(throws: StoreFailure.self) { try Self.said(one.request, [(one.bytes + one.bytes)[...]]) }
    }

    @Test("whatever a byte is, it is an answer, an error, or not all", arguments: cases)
    func altered(one: Case) {
        for offset in one.bytes.indices {
            for byte: UInt8 in [0, 1, 0x7f, 0x80, 0xff, one.bytes[offset] ^ 1] {
                var bytes = one.bytes
                bytes[offset] = byte
                _ = try? Self.said(one.request, [bytes[..<(offset + 1)], bytes[(offset + 1)...]])
            }
        }
    }

    @Test(
        "a clock that no server can have is none",
        arguments: ["-9223372036854775808", "-1", "100000000000", "9223372036854775807"]
    )
    func impossibleClock(seconds: String) {
        let bytes = Self.message(16, key: "time", Array(seconds.utf8)) + Self.message(16)
        #expect(throws: StoreFailure.self) { try Self.said(.state, [bytes[...]]) }
    }

    @Test("an answer to another request is none", arguments: cases)
    func otherTag(one: Case) {
        var response = MemcachedResponseParser(to: one.request, firstTag: Self.tag &- 7, connection: 1)
        #expect(throws: StoreFailure.self) { try one.bytes.withUnsafeBytes { _ = try response.consume($0) } }
    }

    @Test("a value that is longer than any of ours is thrown away as it comes", arguments: [1, 1_000, 3_000_000])
    func overLong(piece: Int) throws {
        let long = Self.message(0, extras: 4, [UInt8](repeating: 1, count: 1_200_000), version: 7)
        let pieces = stride(from: 0, to: long.count, by: piece).map { long[$0..<min($0 + piece, long.count)] }
        // Single bytes are used only at the beginning, where they matter.
        let some = piece > 1 ? pieces : pieces.prefix(40) + [long[40...]]
        #expect(try Self.said(.read(["a"]), Array(some)) == "[] 7")
    }

    @Test("a request is what memcached documents")
    func request() {
        #expect(
            MemcachedRequest.read(["ab"]).bytes(firstTag: 0x0102_0304)
                == [0x80, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x62]
        )
        let write = MemcachedRequest.Write("a", [7, 8], number: 0x0102, expiry: 0x0304)
        #expect(
            MemcachedRequest.write([write], thenRead: ["b"]).bytes(firstTag: 5)
                == [0x80, 1, 0, 1, 8, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 1, 2]
                + [0, 0, 0, 0, 0, 0, 3, 4, 0x61, 7, 8]
                + [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x62]
        )
        let several = MemcachedRequest.read(["a", "b"])
        #expect(several.bytes(firstTag: 0).count == 3 * 24 + 2 && several.tags == 3)
    }
}
