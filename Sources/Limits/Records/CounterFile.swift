import Engine

/// The content of the file in which a relay without memcached saves its counters.
struct CounterFile {
    /// The reason why a file is not a valid counter file of this version.
    enum ReadError: String, Error {
        case unreadable = "it cannot be read"
        case format = "it is not a file of counters"
        case version = "another version of the relay wrote it"
        case length = "its length is invalid"
        case checksum = "its checksum does not match"
        case content = "a counter in it is invalid"
    }

    /// The microseconds by which the limits' clock was behind the machine's clock when the file was written; 0 if the
    /// limits' clock was not behind.
    let behindMicroseconds: Int
    /// The saved counters. If two counters have the same key, only one of them is used.
    let counters: [SavedCounter]

    static let limitBytes = 16 * 1_048_576
    /// The size of the file without counters, in bytes.
    static let emptyBytes = headBytes + 8

    private static let mark = Array("relaycnt".utf8)
    private static let version: UInt8 = 1
    private static let headBytes = mark.count + 1 + 8 + Digest.byteCount
    private static let secondsRange = Quota.TimeUnit.minute.rawValue...Quota.longestWindowSeconds
    /// The largest clock difference that the file stores, in microseconds: the longest window. A larger difference is
    /// reduced to this value.
    private static let longestMicroseconds = Quota.longestWindowSeconds * 1_000_000

    /// The smallest clock difference that the file stores, in microseconds. A smaller difference is stored as 0.
    static let leastMicroseconds = 100_000

    init(behindMicroseconds: Int, _ counters: [SavedCounter]) {
        let isBehind = behindMicroseconds >= Self.leastMicroseconds
        self.behindMicroseconds = isBehind ? min(behindMicroseconds, Self.longestMicroseconds) : 0
        self.counters = counters
    }

    func encoded() -> [UInt8] {
        var bytes = Self.mark
        bytes.reserveCapacity(Self.emptyBytes + counters.reduce(0) { $0 + $1.bytes })
        bytes.append(Self.version)
        bytes.append(contentsOf: repeatElement(0, count: Self.headBytes - bytes.count))
        Varint.write(UInt64(behindMicroseconds), to: &bytes)
        for counter in counters {
            Varint.write(counter.key.words.0, to: &bytes)
            Varint.write(counter.key.words.1, to: &bytes)
            Varint.write(counter.windowSeconds, to: &bytes)
            Varint.write(counter.record.count, to: &bytes)
            bytes.append(contentsOf: counter.record)
        }
        var head: [UInt8] = []
        Varint.write(UInt64(bytes.count - Self.headBytes), to: &head)
        Self.checksum(bytes).withBytes { head.append(contentsOf: $0) }
        bytes.replaceSubrange(Self.mark.count + 1..<Self.headBytes, with: head)
        return bytes
    }

    private static func checksum(_ bytes: [UInt8]) -> Digest {
        bytes.withUnsafeBytes { Digest(of: UnsafeRawBufferPointer(rebasing: $0[headBytes...])) }
    }

    /// Decodes a file. Checks the whole file, but not the encoded records of the counters.
    init(_ bytes: [UInt8]) throws(ReadError) {
        guard bytes.starts(with: Self.mark), bytes.count > Self.mark.count else { throw .format }
        guard bytes[Self.mark.count] == Self.version else { throw .version }
        var reader = Varint.Reader(rest: bytes[(Self.mark.count + 1)...])
        guard let length = reader.word(), bytes.count >= Self.headBytes, length == UInt64(bytes.count - Self.headBytes)
        else { throw .length }
        let written = bytes.withUnsafeBytes {
            Digest(bytes: UnsafeRawBufferPointer(rebasing: $0[(Self.headBytes - Digest.byteCount)..<Self.headBytes]))
        }
        guard written == Self.checksum(bytes) else { throw .checksum }
        reader.rest = bytes[Self.headBytes...]
        guard let behind = reader.word(), behind <= UInt64(Self.longestMicroseconds) else { throw .content }
        behindMicroseconds = Int(behind)
        var counters: [SavedCounter] = []
        while !reader.rest.isEmpty { counters.append(try Self.counter(&reader)) }
        self.counters = counters
    }

    private static func counter(_ reader: inout Varint.Reader) throws(ReadError) -> SavedCounter {
        guard let high = reader.word(), let low = reader.word(), let seconds = reader.number(),
            secondsRange.contains(seconds), let length = reader.number(), length <= Record.encodedBound,
            length <= reader.rest.count
        else { throw .content }
        let record = Array(reader.rest.prefix(length))
        reader.rest = reader.rest.dropFirst(length)
        return SavedCounter(key: RecordKey(high, low), windowSeconds: seconds, record: record)
    }
}

struct SavedCounter {
    let key: RecordKey
    let windowSeconds: Int
    let record: [UInt8]

    /// The maximum size of the counter in the file, in bytes.
    var bytes: Int { 29 + record.count }
}
